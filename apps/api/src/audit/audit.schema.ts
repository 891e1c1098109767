import { AUDIT_ACTIONS, type StoredAuditEntry } from '@features/audit';
import { z } from 'zod';
import { listSchema, pageQuery } from '../http/page.schema';

const moment = z.iso.datetime({ offset: true });

export const auditQuery = pageQuery.extend({
  scope: z.enum(['workspace', 'instance']).default('workspace').meta({ description: '`instance`: everything, for the instance admin.' }),
  action: z.enum(AUDIT_ACTIONS).optional(),
  user_id: z.uuid().toLowerCase().optional().meta({ description: 'Who did it, or to whom it was done.' }),
  from: moment.optional().meta({ description: 'The first moment.' }),
  to: moment.optional().meta({ description: 'The moment before which it ends.' }),
});
export type AuditQuery = z.infer<typeof auditQuery>;

const auditEntrySchema = z
  .object({
    id: z.uuid(),
    action: z.enum(AUDIT_ACTIONS),
    workspace_id: z.uuid().nullable().meta({ description: 'Null: concerns the whole instance.' }),
    actor: z
      .object({ user_id: z.uuid(), key_id: z.uuid().nullable() })
      .nullable()
      .meta({ description: 'Null: nobody who had proved who they are, or somebody on the machine itself.' }),
    subject: z.object({ kind: z.string(), id: z.string() }).nullable(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    address: z.string().nullable(),
    request_id: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'AuditEntry' });

export const auditListSchema = listSchema('AuditList', auditEntrySchema);

export function auditEntryView(entry: StoredAuditEntry): z.infer<typeof auditEntrySchema> {
  return {
    id: entry.id,
    action: entry.action,
    workspace_id: entry.workspaceId,
    actor: entry.actorId === null ? null : { user_id: entry.actorId, key_id: entry.keyId },
    subject: entry.subjectKind === null || entry.subjectId === null ? null : { kind: entry.subjectKind, id: entry.subjectId },
    details: entry.details as Record<string, string | number | boolean | null>,
    address: entry.address,
    request_id: entry.requestId,
    created_at: entry.at.toISOString(),
  };
}
