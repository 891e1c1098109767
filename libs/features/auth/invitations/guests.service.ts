import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import { PostgresClient, isUniqueViolation, type Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { AppError } from '@kernel/errors';
import { Entrance } from '../logins/entrance.service';
import type { SignedIn } from '../people/account';
import { AccountsRepository } from '../people/accounts.repository';
import type { OpenInvitation } from './invitations.repository';
import { Joining } from './joining.service';

/** Lets the bearer of an invitation in: the invitation used up, the account, the membership and the login in one transaction, or nothing. */
@Injectable()
export class Guests {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly accounts: AccountsRepository,
    private readonly joining: Joining,
    private readonly entrance: Entrance,
    private readonly audit: Audit,
  ) {}

  /** Somebody new, without a workspace of their own; undefined when the e-mail has got an account meanwhile. */
  async welcome(invitation: OpenInvitation, person: { name: string | null; passwordHash: string }): Promise<SignedIn | undefined> {
    try {
      return await this.postgres.transaction(async (connection) => {
        await this.joining.take(connection, invitation);
        const userId = v7();
        await this.accounts.insertUser(connection, { userId, email: invitation.email, ...person }, false);
        const entry = { workspaceId: invitation.workspaceId, actor: { userId }, subject: { kind: 'user', id: userId } };
        await this.audit.add(connection, { ...entry, action: 'auth.registered', details: { source: 'invitation' } });
        return this.enter(connection, invitation, userId);
      });
    } catch (error) {
      if (isUniqueViolation(error, 'users_email_key')) return undefined;
      throw error;
    }
  }

  /** Somebody who has an account and has proved to be its owner. */
  admit(invitation: OpenInvitation, userId: string): Promise<SignedIn> {
    return this.postgres.transaction(async (connection) => {
      await this.joining.take(connection, invitation);
      return this.enter(connection, invitation, userId);
    });
  }

  private async enter(connection: Queryable, invitation: OpenInvitation, userId: string): Promise<SignedIn> {
    await this.joining.join(connection, invitation, userId);
    const signedIn = await this.entrance.openIn(connection, userId, invitation.workspaceId);
    if (signedIn === undefined) throw new AppError('unauthenticated', 'The e-mail or the password is wrong.');
    return signedIn;
  }
}
