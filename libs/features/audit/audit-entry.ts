import type { Principal } from '@kernel/identity';

/** Everything that is written down: nothing else can be. */
export const AUDIT_ACTIONS = [
  'auth.registered',
  'auth.login',
  'auth.login_failed',
  'auth.refresh_reused',
  'auth.logout',
  'auth.password_changed',
  'auth.reset_issued',
  'auth.reset_used',
  'key.created',
  'key.deleted',
  'workspace.created',
  'workspace.changed',
  'workspace.deleted',
  'workspace.switched',
  'member.invited',
  'invitation.revoked',
  'member.joined',
  'member.role_changed',
  'member.removed',
  'user.changed',
  'user.suspended',
  'user.resumed',
  'user.deleted',
  'model.pulled',
  'model.deleted',
  'collection.deleted',
  'document.deleted',
  'agent.deleted',
  'job.redriven',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** What an entry may say beside who did what to whom: names of fields, roles, flags; never a secret, never an e-mail in clear. */
export const AUDIT_DETAILS = [
  'role',
  'previous_role',
  'fields',
  'instance_admin',
  'owner',
  'scopes',
  'expires_at',
  'email_sha256',
  'reason',
  'source',
  'model',
] as const;
export type AuditDetails = Partial<Record<(typeof AUDIT_DETAILS)[number], string | number | boolean | null>>;

export interface AuditEntry {
  /** Null: concerns the whole instance. */
  workspaceId: string | null;
  /** Null: nobody who had proved who they are. */
  actor: Pick<Principal, 'userId' | 'keyId'> | null;
  action: AuditAction;
  subject?: { kind: string; id: string };
  details?: AuditDetails;
  /** Both are those of the request at hand when left out. */
  address?: string;
  requestId?: string;
}

export interface StoredAuditEntry {
  id: string;
  at: Date;
  workspaceId: string | null;
  actorId: string | null;
  keyId: string | null;
  action: AuditAction;
  subjectKind: string | null;
  subjectId: string | null;
  details: AuditDetails;
  address: string | null;
  requestId: string | null;
}
