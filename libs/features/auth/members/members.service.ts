import { Injectable } from '@nestjs/common';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { AppError } from '@kernel/errors';
import type { Principal, Role } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import { PrincipalCache } from '../principals/principal-cache.service';
import { MembershipsRepository } from './memberships.repository';
import { assertVersion } from './versions';
import type { Member } from './workspace';
import { WorkspaceAuthority } from './workspace-authority.service';

/**
 * The members of a workspace. Owners are made, demoted and removed by owners alone, and one always stays. What changes here holds at once in this
 * process, within 5 s in others. Errors: `not_found` (workspace to strangers, person), `forbidden`, `conflict` (the last owner), `precondition_failed`.
 */
@Injectable()
export class Members {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly memberships: MembershipsRepository,
    private readonly authority: WorkspaceAuthority,
    private readonly audit: Audit,
    private readonly principals: PrincipalCache,
  ) {}

  async list(principal: Principal, workspaceId: string, page: PageQuery): Promise<Page<Member>> {
    await this.authority.demand(this.postgres, principal, workspaceId);
    return this.memberships.page(workspaceId, page);
  }

  async get(principal: Principal, workspaceId: string, userId: string): Promise<Member> {
    await this.authority.demand(this.postgres, principal, workspaceId);
    return this.member(this.postgres, workspaceId, userId);
  }

  async changeRole(principal: Principal, workspaceId: string, userId: string, role: Role, accepted?: number[]): Promise<Member> {
    const changed = await this.postgres.transaction(async (connection) => {
      const caller = await this.authority.demandHeld(connection, principal, workspaceId, 'admin');
      const member = await this.member(connection, workspaceId, userId);
      assertVersion('The membership', member.version, accepted);
      if (caller.role !== 'owner' && role === 'owner') throw new AppError('forbidden', 'role: only an owner makes owners.');
      if (member.role === role) return member;
      await this.assertOwnersStay(connection, workspaceId, member, caller.role);
      await this.memberships.change(connection, workspaceId, userId, role);
      await this.audit.add(connection, {
        workspaceId,
        actor: principal,
        action: 'member.role_changed',
        subject: { kind: 'user', id: userId },
        details: { role, previous_role: member.role },
      });
      return this.member(connection, workspaceId, userId);
    });
    this.forget(workspaceId);
    return changed;
  }

  /** Everybody may leave; removing others needs the role admin. Their logins and keys in the workspace end. */
  async remove(principal: Principal, workspaceId: string, userId: string, accepted?: number[]): Promise<void> {
    const leaving = principal.kind === 'user' && principal.userId === userId;
    await this.postgres.transaction(async (connection) => {
      const caller = await this.authority.demandHeld(connection, principal, workspaceId, leaving ? 'viewer' : 'admin');
      const member = await this.member(connection, workspaceId, userId);
      assertVersion('The membership', member.version, accepted);
      await this.assertOwnersStay(connection, workspaceId, member, caller.role);
      await this.memberships.remove(connection, workspaceId, userId);
      await this.audit.add(connection, {
        workspaceId,
        actor: principal,
        action: 'member.removed',
        subject: { kind: 'user', id: userId },
        details: { role: member.role },
      });
    });
    this.forget(workspaceId);
  }

  private async assertOwnersStay(connection: Queryable, workspaceId: string, member: Member, callerRole: Role): Promise<void> {
    if (member.role !== 'owner') return;
    if (callerRole !== 'owner') throw new AppError('forbidden', 'Only an owner changes or removes an owner.');
    if (!(await this.memberships.ownedWithout(connection, workspaceId, member.id)))
      throw new AppError(
        'conflict',
        'This is the last owner of the workspace; make somebody else an owner first, or delete the workspace.',
      );
  }

  private async member(connection: Queryable, workspaceId: string, userId: string): Promise<Member> {
    const member = await this.memberships.find(connection, workspaceId, userId);
    if (member === undefined) throw AppError.notFound('The member');
    return member;
  }

  /** Also keys of the workspace, whose rights are bounded by those of their maker. */
  private forget(workspaceId: string): void {
    this.principals.forget({ workspaceId });
  }
}
