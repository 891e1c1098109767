import { Injectable } from '@nestjs/common';
import { PostgresClient, sql, type Queryable } from '@backing/postgres';
import type { KeptAnswer, KeptRequest } from './kept-request.entity';

/** Seconds for which an answer is kept. */
const KEPT_SECONDS = 86_400;
/** A process that stands still holds its key no longer than this; one that dies lets go at once. */
const IDLE_MS = 10_000;

interface Row {
  fingerprint: Buffer;
  status: number | null;
  headers: Record<string, string> | null;
  body: Buffer | null;
  accepted: object | null;
}

/** What is kept of a request, by its id: SHA-256 of who asked, of the route and of the key. */
export interface NewKeptRequest {
  id: Buffer;
  workspaceId: string;
  userId: string;
  fingerprint: Buffer;
  answer: KeptAnswer | null;
  accepted: object | null;
}

const KEPT = sql`created_at > now() - make_interval(secs => ${KEPT_SECONDS})`;

/** Rows of idempotency keys. */
@Injectable()
export class IdempotencyKeysRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** Takes the id until the transaction ends; false when another transaction has it. Never waits. */
  async take(connection: Queryable, id: Buffer): Promise<boolean> {
    // The embedded database would end with such a session; its process dies with it.
    const bounded = this.postgres.embedded ? sql`` : sql`, set_config('idle_in_transaction_session_timeout', ${String(IDLE_MS)}, true)`;
    const rows = await connection.query<{ taken: boolean }>(
      sql`SELECT pg_try_advisory_xact_lock(${id.readBigInt64BE().toString()}::bigint) AS taken${bounded}`,
    );
    return rows[0]?.taken === true;
  }

  async find(id: Buffer, connection: Queryable = this.postgres): Promise<KeptRequest | undefined> {
    const rows = await connection.query<Row>(
      sql`SELECT fingerprint, status, headers, body, accepted FROM idempotency_keys WHERE id = ${id} AND ${KEPT}`,
    );
    return rows[0] && keptOf(rows[0]);
  }

  /** False when the id is kept already. */
  async insert(connection: Queryable, { id, workspaceId, userId, fingerprint, answer, accepted }: NewKeptRequest): Promise<boolean> {
    const rows = await connection.query(
      sql`INSERT INTO idempotency_keys AS k (id, workspace_id, user_id, fingerprint, status, headers, body, accepted)
          VALUES (${id}, ${workspaceId}::uuid, ${userId}::uuid, ${fingerprint}, ${answer?.status ?? null}, ${jsonOrNull(answer?.headers)}::jsonb,
            ${answer?.body ?? null}, ${jsonOrNull(accepted)}::jsonb)
          ON CONFLICT (id) DO UPDATE SET workspace_id = excluded.workspace_id, user_id = excluded.user_id, fingerprint = excluded.fingerprint,
            status = excluded.status, headers = excluded.headers, body = excluded.body, accepted = excluded.accepted, created_at = excluded.created_at
          WHERE k.created_at <= now() - make_interval(secs => ${KEPT_SECONDS})
          RETURNING id`,
    );
    return rows.length > 0;
  }

  /** The first whole answer to what was accepted is the one that is kept; answers that one. */
  async keep(id: Buffer, answer: KeptAnswer): Promise<KeptAnswer | null> {
    const kept = await this.postgres.query(
      sql`UPDATE idempotency_keys SET status = ${answer.status}, headers = ${jsonOrNull(answer.headers)}::jsonb, body = ${answer.body}
          WHERE id = ${id} AND status IS NULL RETURNING id`,
    );
    return kept.length > 0 ? answer : ((await this.find(id))?.answer ?? null);
  }

  /** Deletes at most `most` of those whose time is up; answers how many. */
  async purge(most: number): Promise<number> {
    const rows = await this.postgres.query(
      sql`DELETE FROM idempotency_keys WHERE id IN (
            SELECT id FROM idempotency_keys WHERE NOT (${KEPT}) ORDER BY created_at LIMIT ${most} FOR UPDATE SKIP LOCKED)
          RETURNING id`,
    );
    return rows.length;
  }
}

function keptOf({ fingerprint, status, headers, body, accepted }: Row): KeptRequest {
  return { fingerprint, answer: status === null || headers === null || body === null ? null : { status, headers, body }, accepted };
}

function jsonOrNull(value: object | null | undefined): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}
