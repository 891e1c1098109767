import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { newSecret, secretHash } from '../logins/secret-token';
import { normaliseEmail } from '../people/email-address';
import { ResetsRepository } from './resets.repository';

const RESET_SECONDS = 72 * 3600;

/** A reset token just made; shown once. */
export interface IssuedReset {
  token: string;
  expiresAt: Date;
}

/** Issues password resets, good for three days, once; a newer one ends those before it. Errors: `not_found`, `invalid` (e-mail). */
@Injectable()
export class ResetTokens {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly resets: ResetsRepository,
    private readonly audit: Audit,
  ) {}

  /** By an instance admin; whether the caller is one is for the route to ask. */
  issue(principal: Principal, userId: string): Promise<IssuedReset> {
    return this.make({ id: userId }, principal);
  }

  /** On the machine itself, where whoever may read the database may do anything anyway. */
  issueHere(email: string): Promise<IssuedReset> {
    return this.make({ email: normaliseEmail(email) }, null);
  }

  private make(who: { id: string } | { email: string }, actor: Principal | null): Promise<IssuedReset> {
    const token = newSecret('pr-');
    return this.postgres.transaction(async (connection) => {
      const userId = await this.resets.findPerson(connection, who);
      if (userId === undefined) throw AppError.notFound('The user');
      return { token, expiresAt: await this.insert(connection, userId, actor, secretHash(token)) };
    });
  }

  private async insert(connection: Queryable, userId: string, actor: Principal | null, hash: Buffer): Promise<Date> {
    await this.resets.endOpen(connection, userId);
    const reset = { id: v7(), userId, issuedBy: actor?.userId ?? null };
    const expiresAt = await this.resets.insert(connection, reset, { hash, seconds: RESET_SECONDS });
    await this.audit.add(connection, {
      workspaceId: null,
      actor,
      action: 'auth.reset_issued',
      subject: { kind: 'user', id: userId },
      details: { source: actor === null ? 'machine' : 'api' },
    });
    return expiresAt;
  }
}
