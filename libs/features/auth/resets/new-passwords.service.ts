import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { LoginsRepository } from '../logins/logins.repository';
import { AccountsRepository } from '../people/accounts.repository';
import { PrincipalCache } from '../principals/principal-cache.service';
import { ResetsRepository } from './resets.repository';

/** Replaces a person's password: every login of theirs and every reset still open ends with the old one; their keys stay. */
@Injectable()
export class NewPasswords {
  constructor(
    private readonly accounts: AccountsRepository,
    private readonly logins: LoginsRepository,
    private readonly resets: ResetsRepository,
    private readonly audit: Audit,
    private readonly principals: PrincipalCache,
  ) {}

  /** Part of the caller's transaction; `forget` is for after it. */
  async set(
    connection: Queryable,
    userId: string,
    passwordHash: string,
    action: 'auth.password_changed' | 'auth.reset_used',
  ): Promise<void> {
    await this.accounts.setPassword(connection, userId, passwordHash);
    await this.logins.revokeAll(connection, userId, 'password');
    await this.resets.endOpen(connection, userId);
    await this.audit.add(connection, { workspaceId: null, actor: { userId }, action, subject: { kind: 'user', id: userId } });
  }

  forget(userId: string): void {
    this.principals.forget({ userId, kind: 'user' });
  }
}
