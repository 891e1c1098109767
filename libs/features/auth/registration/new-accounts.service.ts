import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import { PostgresClient, isUniqueViolation, type Queryable } from '@backing/postgres';
import { Collections } from '@features/vectors';
import type { Account, SignedIn } from '../people/account';
import { AccountsRepository } from '../people/accounts.repository';
import { Logins } from '../logins/logins.service';
import { SetupToken } from './setup-token.service';

export interface NewPerson {
  /** Normalised. */
  email: string;
  name: string | null;
  passwordHash: string;
}

/** Makes a person with all that belongs to one (workspace, membership, collection `default`) in one transaction, or nothing at all. */
@Injectable()
export class NewAccounts {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly accounts: AccountsRepository,
    private readonly collections: Collections,
    private readonly setupToken: SetupToken,
    private readonly logins: Logins,
  ) {}

  /** The person, signed in; undefined when the e-mail is taken or, as the first admin, when there has been one: the unique index decides between rivals. */
  register(person: NewPerson, firstAdmin: boolean): Promise<SignedIn | undefined> {
    return this.orTaken(async (connection) => this.logins.open(connection, await this.insert(connection, person, firstAdmin)));
  }

  /** The first admin without a login; undefined when somebody else was faster. */
  createFirstAdmin(person: NewPerson): Promise<Account | undefined> {
    return this.orTaken((connection) => this.insert(connection, person, true));
  }

  private async orTaken<T>(work: (connection: Queryable) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.postgres.transaction(work);
    } catch (error) {
      if (isUniqueViolation(error, 'users_first_admin') || isUniqueViolation(error, 'users_email_key')) return undefined;
      throw error;
    }
  }

  private async insert(connection: Queryable, person: NewPerson, firstAdmin: boolean): Promise<Account> {
    const userId = v7();
    const workspaceId = v7();
    const workspaceName = person.name ?? person.email.slice(0, person.email.indexOf('@'));
    await this.accounts.insert(connection, { userId, workspaceId, workspaceName, ...person }, firstAdmin);
    if (firstAdmin) await this.setupToken.useUp(connection);
    await this.collections.createDefault(connection, workspaceId, userId);
    const account = await this.accounts.findAccount(connection, userId, workspaceId);
    if (account === undefined) throw new Error('The account just made is not there.');
    return account;
  }
}
