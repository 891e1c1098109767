import { Injectable } from '@nestjs/common';
import { PostgresClient, empty, pageConditions, pageOf, pageOrder, sql, type Queryable } from '@backing/postgres';
import type { Page, PageQuery } from '@kernel/paging';
import type { AuditAction, AuditDetails, StoredAuditEntry } from './audit-entry';

export interface AuditFilter {
  action?: AuditAction;
  /** Who did it, or to whom it was done. */
  userId?: string;
  from?: Date;
  /** Not included. */
  to?: Date;
}

type NewRow = Omit<StoredAuditEntry, 'at'>;

interface Row {
  id: string;
  at: Date;
  workspace_id: string | null;
  actor_id: string | null;
  key_id: string | null;
  action: AuditAction;
  subject_kind: string | null;
  subject_id: string | null;
  details: AuditDetails;
  address: string | null;
  request_id: string | null;
}

/** The table of audit entries, which the database itself keeps from being changed. */
@Injectable()
export class AuditRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async insert(connection: Queryable | undefined, row: NewRow): Promise<void> {
    await (connection ?? this.postgres).query(
      sql`INSERT INTO audit_entries (id, workspace_id, actor_id, key_id, action, subject_kind, subject_id, details, address, request_id)
          VALUES (${row.id}::uuid, ${row.workspaceId}::uuid, ${row.actorId}::uuid, ${row.keyId}::uuid, ${row.action}, ${row.subjectKind},
                  ${row.subjectId}, ${JSON.stringify(row.details)}::jsonb, ${row.address}, ${row.requestId})`,
    );
  }

  /** `workspaceId` undefined: of every workspace, and what concerns none. */
  async page(workspaceId: string | undefined, filter: AuditFilter, page: PageQuery): Promise<Page<StoredAuditEntry>> {
    const { action, userId, from, to } = filter;
    const rows = await this.postgres.query<Row>(
      sql`SELECT id, at, workspace_id, actor_id, key_id, action, subject_kind, subject_id, details, address, request_id FROM audit_entries
          WHERE ${workspaceId === undefined ? sql`true` : sql`workspace_id = ${workspaceId}::uuid`}
            ${action === undefined ? empty : sql`AND action = ${action}`}
            ${userId === undefined ? empty : sql`AND (actor_id = ${userId}::uuid OR (subject_kind = 'user' AND subject_id = ${userId}))`}
            ${from === undefined ? empty : sql`AND at >= ${from}::timestamptz`} ${to === undefined ? empty : sql`AND at < ${to}::timestamptz`}
            ${pageConditions(page)} ${pageOrder(page)}`,
    );
    return pageOf(rows.map(entryOf), page);
  }

  /** Deletes up to `most` entries that are older than so many days; answers how many there were. */
  purge(days: number, most: number): Promise<number> {
    return this.postgres.transaction(async (connection) => {
      await connection.query(sql`SET LOCAL sutazai.audit_retention = 'on'`);
      // Ids begin with the milliseconds of their making: the primary key finds the oldest.
      const rows = await connection.query<{ id: string }>(
        sql`DELETE FROM audit_entries WHERE id IN (
              SELECT id FROM audit_entries
              WHERE at < now() - make_interval(days => ${days})
                AND id < (lpad(to_hex((extract(epoch FROM now() - make_interval(days => ${days})) * 1000)::bigint + 60000), 12, '0') || repeat('f', 20))::uuid
              ORDER BY id LIMIT ${most} FOR UPDATE SKIP LOCKED)
            RETURNING id`,
      );
      return rows.length;
    });
  }
}

function entryOf(row: Row): StoredAuditEntry {
  return {
    id: row.id,
    at: row.at,
    workspaceId: row.workspace_id,
    actorId: row.actor_id,
    keyId: row.key_id,
    action: row.action,
    subjectKind: row.subject_kind,
    subjectId: row.subject_id,
    details: row.details,
    address: row.address,
    requestId: row.request_id,
  };
}
