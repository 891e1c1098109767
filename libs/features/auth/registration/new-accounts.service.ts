import { Injectable } from '@nestjs/common';
import { PostgresClient, isUniqueViolation, type Queryable } from '@backing/postgres';
import type { OpenInvitation } from '../invitations/invitations.repository';
import { Joining } from '../invitations/joining.service';
import { Entrance } from '../logins/entrance.service';
import type { SignedIn } from '../people/account';
import { NewPeople, type NewPerson } from './new-people.service';

/** Makes a person with all that belongs to one (workspace, membership, collection `default`) in one transaction, or nothing at all. */
@Injectable()
export class NewAccounts {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly people: NewPeople,
    private readonly joining: Joining,
    private readonly entrance: Entrance,
  ) {}

  /**
   * The person, signed in to their own workspace and a member of the inviting one; undefined when the e-mail is taken or, as the first admin, when
   * there has been one: the unique index decides between rivals.
   */
  register(person: NewPerson, firstAdmin: boolean, invitation?: OpenInvitation): Promise<SignedIn | undefined> {
    return this.orTaken(async (connection) => {
      if (invitation !== undefined) await this.joining.take(connection, invitation);
      const { userId, workspaceId } = await this.people.insert(connection, person, firstAdmin);
      if (invitation !== undefined) await this.joining.join(connection, invitation, userId);
      const signedIn = await this.entrance.openIn(connection, userId, workspaceId);
      if (signedIn === undefined) throw new Error('The account just made is not there.');
      return signedIn;
    });
  }

  /** The first admin without a login; undefined when somebody else was faster. */
  createFirstAdmin(person: NewPerson): Promise<{ userId: string } | undefined> {
    return this.orTaken((connection) => this.people.insert(connection, person, true));
  }

  private async orTaken<T>(work: (connection: Queryable) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.postgres.transaction(work);
    } catch (error) {
      if (isUniqueViolation(error, 'users_first_admin') || isUniqueViolation(error, 'users_email_key')) return undefined;
      throw error;
    }
  }
}
