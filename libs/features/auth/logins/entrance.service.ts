import { Injectable } from '@nestjs/common';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { AppError } from '@kernel/errors';
import type { SignedIn } from '../people/account';
import { AccountsRepository } from '../people/accounts.repository';
import { Logins } from './logins.service';

/** Signs in people who have proved who they are. Errors: `forbidden` (no workspace to act in), `not_found` (not a member of that one). */
@Injectable()
export class Entrance {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly accounts: AccountsRepository,
    private readonly logins: Logins,
    private readonly audit: Audit,
  ) {}

  login(userId: string): Promise<SignedIn> {
    return this.postgres.transaction(async (connection) => {
      const signedIn = await this.open(connection, userId);
      await this.write(connection, signedIn, 'auth.login');
      return signedIn;
    });
  }

  switch(userId: string, workspaceId: string): Promise<SignedIn> {
    return this.postgres.transaction(async (connection) => {
      const signedIn = await this.openIn(connection, userId, workspaceId);
      if (signedIn === undefined) throw AppError.notFound('The workspace');
      await this.write(connection, signedIn, 'workspace.switched');
      return signedIn;
    });
  }

  /** Into the workspace joined first. */
  async open(connection: Queryable, userId: string): Promise<SignedIn> {
    const account = await this.accounts.findAccount(connection, userId, null);
    if (account === undefined) throw new AppError('forbidden', 'You are not an active member of any workspace.');
    return this.logins.open(connection, account);
  }

  /** Undefined when the person is not active and a member there. */
  async openIn(connection: Queryable, userId: string, workspaceId: string): Promise<SignedIn | undefined> {
    const account = await this.accounts.findAccount(connection, userId, workspaceId);
    return account && this.logins.open(connection, account);
  }

  private write(connection: Queryable, { user, workspace }: SignedIn, action: 'auth.login' | 'workspace.switched'): Promise<void> {
    const subject = { kind: 'user', id: user.id };
    return this.audit.add(connection, { workspaceId: workspace.id, actor: { userId: user.id }, action, subject });
  }
}
