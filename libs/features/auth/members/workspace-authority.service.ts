import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import { roleAtLeast, type Principal, type Role } from '@kernel/identity';
import { MembershipsRepository } from './memberships.repository';
import { WorkspacesRepository } from './workspaces.repository';

/** Somebody whose standing in a workspace was looked up, not remembered. */
export interface Standee {
  /** The person; of a key, the one whose rights bound it. */
  userId: string;
  role: Role;
}

/**
 * What a caller may do in a workspace that a path names: persons by their membership there, whatever workspace their token is for; keys in their
 * own workspace alone and with the scope `admin`. Errors: `not_found` to strangers, `forbidden` for too small a role or scope.
 */
@Injectable()
export class WorkspaceAuthority {
  constructor(
    private readonly workspaces: WorkspacesRepository,
    private readonly memberships: MembershipsRepository,
  ) {}

  async demand(connection: Queryable, principal: Principal, workspaceId: string, least: Role = 'viewer'): Promise<Standee> {
    const userId = await this.personOf(connection, principal, workspaceId);
    const role = userId === undefined ? undefined : await this.memberships.role(connection, workspaceId, userId);
    if (userId === undefined || role === undefined) throw AppError.notFound('The workspace');
    if (!roleAtLeast(role, least)) throw new AppError('forbidden', `This needs the role ${least} in the workspace.`);
    return { userId, role };
  }

  /** The same, with the workspace held until the transaction ends: whoever changes members comes one after the other. */
  async demandHeld(connection: Queryable, principal: Principal, workspaceId: string, least: Role = 'viewer'): Promise<Standee> {
    if (!(await this.workspaces.lock(connection, workspaceId))) throw AppError.notFound('The workspace');
    return this.demand(connection, principal, workspaceId, least);
  }

  private async personOf(connection: Queryable, principal: Principal, workspaceId: string): Promise<string | undefined> {
    if (principal.keyId === undefined) return principal.userId;
    if (principal.workspaceId !== workspaceId) return undefined;
    demandAdminScope(principal);
    return this.memberships.holder(connection, principal.keyId);
  }
}

/** Keys manage people and workspaces only when they were made for it. */
export function demandAdminScope(principal: Principal): void {
  if (principal.kind === 'key' && !principal.scopes.has('admin')) throw new AppError('forbidden', 'This needs the scope admin.');
}
