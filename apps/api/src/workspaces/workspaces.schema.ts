import type { Invitation, IssuedInvitation, Member, Workspace } from '@features/auth';
import { ROLES } from '@kernel/identity';
import { z } from 'zod';
import { listSchema } from '../http/page.schema';

const name = z.string().trim().min(1).max(200);
const role = z.enum(ROLES);

export const createWorkspaceBody = z.strictObject({ name }).meta({ id: 'CreateWorkspaceRequest' });
export type CreateWorkspaceBody = z.infer<typeof createWorkspaceBody>;

export const changeWorkspaceBody = z.strictObject({ name }).meta({ id: 'ChangeWorkspaceRequest' });
export type ChangeWorkspaceBody = z.infer<typeof changeWorkspaceBody>;

export const inviteBody = z
  .strictObject({ email: z.string().min(3).max(320).meta({ example: 'ada@example.org' }), role })
  .meta({ id: 'InviteRequest' });
export type InviteBody = z.infer<typeof inviteBody>;

export const changeMemberBody = z.strictObject({ role }).meta({ id: 'ChangeMemberRequest' });
export type ChangeMemberBody = z.infer<typeof changeMemberBody>;

export const workspaceSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    role: role.meta({ description: 'Yours.' }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Workspace' });
export const workspaceListSchema = listSchema('WorkspaceList', workspaceSchema);

export const memberSchema = z
  .object({
    id: z.uuid().meta({ description: 'Of the person.' }),
    email: z.string(),
    name: z.string().nullable(),
    role,
    joined_at: z.iso.datetime(),
  })
  .meta({ id: 'Member' });
export const memberListSchema = listSchema('MemberList', memberSchema);

export const invitationSchema = z
  .object({
    id: z.uuid(),
    email: z.string(),
    role,
    invited_by: z.uuid(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'Invitation' });
export const invitationListSchema = listSchema('InvitationList', invitationSchema);

export const issuedInvitationSchema = z
  .object({
    id: z.uuid(),
    email: z.string(),
    role,
    workspace: z.object({ id: z.uuid(), name: z.string() }),
    invite_token: z.string().meta({ description: 'For the invited person; shown here once and never again.', example: 'inv-…' }),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'IssuedInvitation' });

export function workspaceView(workspace: Workspace): z.infer<typeof workspaceSchema> {
  const { createdAt, updatedAt } = workspace;
  return {
    id: workspace.id,
    name: workspace.name,
    role: workspace.role,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}

export function memberView({ id, email, name: called, role: has, joinedAt }: Member): z.infer<typeof memberSchema> {
  return { id, email, name: called, role: has, joined_at: joinedAt.toISOString() };
}

export function invitationView(invitation: Invitation): z.infer<typeof invitationSchema> {
  const { id, email, role: wanted, invitedBy, createdAt, expiresAt } = invitation;
  return { id, email, role: wanted, invited_by: invitedBy, created_at: createdAt.toISOString(), expires_at: expiresAt.toISOString() };
}

export function issuedInvitationView(issued: IssuedInvitation): z.infer<typeof issuedInvitationSchema> {
  const { id, email, role: wanted, workspace, token, createdAt, expiresAt } = issued;
  return {
    id,
    email,
    role: wanted,
    workspace,
    invite_token: token,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt.toISOString(),
  };
}

export const invitationPath = ({ workspace, id }: IssuedInvitation): string => `/api/v1/workspaces/${workspace.id}/invitations/${id}`;
