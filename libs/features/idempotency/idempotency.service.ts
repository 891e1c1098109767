import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import type { Principal } from '@kernel/identity';
import { IdempotencyKeysRepository } from './idempotency-keys.repository';
import { IdempotentAttempt } from './idempotent-attempt.entity';

/** A request that names itself. */
export interface KeyedRequest {
  principal: Principal;
  /** Method and pattern of the route. */
  route: string;
  key: string;
  /** Its answer holds a secret. */
  secret: boolean;
}

/** Requests that may be repeated without being done twice: a key belongs to one principal (a person in a workspace, or an API key) and one route. */
@Injectable()
export class Idempotency {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly repository: IdempotencyKeysRepository,
  ) {}

  attempt({ principal, route, key, secret }: KeyedRequest): IdempotentAttempt {
    const { workspaceId, userId, keyId = null } = principal;
    const id = createHash('sha256')
      .update(JSON.stringify([workspaceId, userId, keyId, route, key]))
      .digest();
    return new IdempotentAttempt({ id, workspaceId, userId, secret }, this.repository, this.postgres);
  }

  /** Runs `work`, and whatever it starts, as the work of this request. */
  within<T>(attempt: IdempotentAttempt, work: () => T): T {
    return this.postgres.within(attempt.transaction, work);
  }
}
