import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { AppError } from '@kernel/errors';
import { MembershipsRepository } from '../members/memberships.repository';
import { WorkspacesRepository } from '../members/workspaces.repository';
import { InvitationsRepository, type OpenInvitation } from './invitations.repository';

/** Turns an invitation into a membership, once. Errors: `invalid` when it was taken, revoked or ran out meanwhile. */
@Injectable()
export class Joining {
  constructor(
    private readonly workspaces: WorkspacesRepository,
    private readonly invitations: InvitationsRepository,
    private readonly memberships: MembershipsRepository,
    private readonly audit: Audit,
  ) {}

  /** Holds the workspace and uses the invitation up; first of all in a transaction. */
  async take(connection: Queryable, invitation: OpenInvitation): Promise<void> {
    // The workspace before the invitation, as everybody does who holds both.
    const there = await this.workspaces.lock(connection, invitation.workspaceId);
    if (!there || !(await this.invitations.take(connection, invitation.id))) throw refusedInvitation();
  }

  async join(connection: Queryable, { id, workspaceId, role }: OpenInvitation, userId: string): Promise<void> {
    if (!(await this.memberships.insert(connection, workspaceId, userId, role))) return;
    await this.audit.add(connection, {
      workspaceId,
      actor: { userId },
      action: 'member.joined',
      subject: { kind: 'invitation', id },
      details: { role },
    });
  }
}

/** One answer for every token that will not do, whatever the reason. */
export function refusedInvitation(): AppError {
  return AppError.field('invalid', 'invite_token', 'is not valid (any more).');
}
