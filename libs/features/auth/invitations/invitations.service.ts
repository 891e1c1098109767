import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import { PostgresClient } from '@backing/postgres';
import { Audit } from '@features/audit';
import { AppError } from '@kernel/errors';
import { roleAtLeast, type Principal, type Role } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import { newSecret, secretHash } from '../logins/secret-token';
import type { Invitation } from '../members/workspace';
import { WorkspaceAuthority } from '../members/workspace-authority.service';
import { WorkspacesRepository } from '../members/workspaces.repository';
import { normaliseEmail } from '../people/email-address';
import { InvitationsRepository } from './invitations.repository';

const INVITATION_SECONDS = 72 * 3600;

/** An invitation just made; its token is shown here alone. */
export interface IssuedInvitation extends Invitation {
  workspace: { id: string; name: string };
  token: string;
}

/**
 * Invitations into a workspace by its admins, at most into their own role; good for three days, once. Whether the e-mail has an account is not told.
 * Errors: `not_found`, `forbidden`, `conflict` (a member already), `invalid` (e-mail).
 */
@Injectable()
export class Invitations {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly invitations: InvitationsRepository,
    private readonly authority: WorkspaceAuthority,
    private readonly workspaces: WorkspacesRepository,
    private readonly audit: Audit,
  ) {}

  async issue(principal: Principal, workspaceId: string, request: { email: string; role: Role }): Promise<IssuedInvitation> {
    const { role } = request;
    const email = normaliseEmail(request.email);
    const token = newSecret('inv-');
    return this.postgres.transaction(async (connection) => {
      const caller = await this.authority.demandHeld(connection, principal, workspaceId, 'admin');
      if (!roleAtLeast(caller.role, role)) throw new AppError('forbidden', `role: only an ${role} invites an ${role}.`);
      if (await this.invitations.memberWith(connection, workspaceId, email))
        throw new AppError('conflict', 'email: this person is a member of the workspace already.');
      const workspace = await this.workspaces.find(connection, workspaceId, caller.userId);
      if (workspace === undefined) throw AppError.notFound('The workspace');
      const wanted = { id: v7(), email, role, invitedBy: caller.userId };
      const made = await this.invitations.insert(connection, workspaceId, wanted, { hash: secretHash(token), seconds: INVITATION_SECONDS });
      await this.audit.add(connection, {
        workspaceId,
        actor: principal,
        action: 'member.invited',
        subject: { kind: 'invitation', id: made.id },
        details: { role, email_sha256: Audit.digest(email) },
      });
      return { ...made, workspace: { id: workspaceId, name: workspace.name }, token };
    });
  }

  /** Those that can still be accepted. */
  async list(principal: Principal, workspaceId: string, page: PageQuery): Promise<Page<Invitation>> {
    await this.authority.demand(this.postgres, principal, workspaceId, 'admin');
    return this.invitations.page(workspaceId, page);
  }

  async revoke(principal: Principal, workspaceId: string, id: string): Promise<void> {
    await this.postgres.transaction(async (connection) => {
      await this.authority.demand(connection, principal, workspaceId, 'admin');
      if (!(await this.invitations.revoke(connection, workspaceId, id))) throw AppError.notFound('The invitation');
      await this.audit.add(connection, {
        workspaceId,
        actor: principal,
        action: 'invitation.revoked',
        subject: { kind: 'invitation', id },
      });
    });
  }
}
