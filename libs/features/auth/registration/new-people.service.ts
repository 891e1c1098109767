import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import type { Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { NewWorkspaces } from '../members/new-workspaces.service';
import { AccountsRepository } from '../people/accounts.repository';
import { SetupToken } from './setup-token.service';

export interface NewPerson {
  /** Normalised. */
  email: string;
  name: string | null;
  passwordHash: string;
}

/** Makes a person with a workspace of their own, in the caller's transaction. */
@Injectable()
export class NewPeople {
  constructor(
    private readonly accounts: AccountsRepository,
    private readonly newWorkspaces: NewWorkspaces,
    private readonly setupToken: SetupToken,
    private readonly audit: Audit,
  ) {}

  /** Throws a unique violation when the e-mail is taken or, as the first admin, when there has been one. */
  async insert(connection: Queryable, person: NewPerson, firstAdmin: boolean): Promise<{ userId: string; workspaceId: string }> {
    const userId = v7();
    await this.accounts.insertUser(connection, { userId, ...person }, firstAdmin);
    const name = person.name ?? person.email.slice(0, person.email.indexOf('@'));
    const workspaceId = await this.newWorkspaces.make(connection, { userId }, name);
    if (firstAdmin) await this.setupToken.useUp(connection);
    await this.audit.add(connection, {
      workspaceId,
      actor: { userId },
      action: 'auth.registered',
      subject: { kind: 'user', id: userId },
      details: { instance_admin: firstAdmin },
    });
    return { userId, workspaceId };
  }
}
