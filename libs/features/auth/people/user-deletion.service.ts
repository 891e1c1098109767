import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { Audit } from '@features/audit';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { assertVersion } from '../members/versions';
import { WorkspaceClosing } from '../members/workspace-closing.service';
import { PrincipalCache } from '../principals/principal-cache.service';
import { assertAdminStays } from './last-admin';
import { UsersRepository, type OwnMembership } from './users.repository';

/**
 * Deletes people as accounts: nobody signs in as them any more, and who they were is gone; what they shared stays with its workspace.
 * Errors: `not_found`, `forbidden`, `conflict` (the last instance admin; the only owner of a workspace with other members), `precondition_failed`.
 */
@Injectable()
export class UserDeletion {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly users: UsersRepository,
    private readonly workspaces: WorkspaceClosing,
    private readonly audit: Audit,
    private readonly principals: PrincipalCache,
  ) {}

  /** Answers the workspaces that only this person was in: they are closed, and what they hold is for the caller to remove. */
  async delete(principal: Principal, id: string, accepted?: number[]): Promise<string[]> {
    const closed = await this.postgres.transaction(async (connection) => {
      // Workspaces before people, as everybody does who holds both.
      await this.users.lockWorkspacesOf(connection, id);
      const admins = await this.users.lockAdmins(connection);
      if (!admins.has(principal.userId)) throw new AppError('forbidden', 'This is for the instance admin.');
      const person = await this.users.lock(connection, id);
      if (person === undefined) throw AppError.notFound('The user');
      assertVersion('The user', person.version, accepted);
      assertAdminStays(admins, { id, stays: false });
      const memberships = await this.users.memberships(connection, id);
      assertOwned(memberships);
      const alone = memberships.filter(({ others }) => !others).map((membership) => membership.id);
      for (const workspaceId of alone) await this.workspaces.shut(connection, principal, workspaceId);
      await this.users.empty(connection, id, person.email);
      await this.audit.add(connection, { workspaceId: null, actor: principal, action: 'user.deleted', subject: { kind: 'user', id } });
      return alone;
    });
    // Whose keys were bounded by this person's rights is not remembered with them.
    this.principals.forget({});
    return closed;
  }
}

function assertOwned(memberships: OwnMembership[]): void {
  const orphan = memberships.find(({ role, owned, others }) => role === 'owner' && others && !owned);
  if (orphan !== undefined)
    throw new AppError('conflict', `This is the only owner of the workspace "${orphan.name}" (${orphan.id}), which has other members.`);
}
