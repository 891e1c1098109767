import { Injectable } from '@nestjs/common';
import { PostgresClient, raw, sql, type Queryable, type Sql } from '@backing/postgres';
import type { EmbeddingSpace, Metric } from '@kernel/vectors';

/** A point that a store must hear of, by the number of its change. */
export interface StoreChange {
  physicalId: string;
  change: string;
}

/** Changes held by one bringer, who alone may tell the store of these points. */
export interface ClaimedChanges {
  claim: string;
  space: EmbeddingSpace;
  changes: StoreChange[];
}

/** Longer than all calls for one claim may take together. */
const CLAIM = raw(`interval '30 seconds'`);
/** When a call that ended without an answer has surely arrived or is lost. */
const SETTLED = raw(`interval '10 seconds'`);
const FREE = raw(`(claimed_until IS NULL OR claimed_until <= statement_timestamp())`);
const PENDING = raw(`applied IS DISTINCT FROM change`);

interface ChangeRow {
  physical_id: string;
  change: string;
  claim: string | null;
}

interface SpaceRow {
  id: string;
  store: string;
  model: string | null;
  dimensions: number;
  metric: Metric;
  version: number;
  physical_name: string;
}

/**
 * What stores outside the database must still learn of the ledger. At most one bringer has a point in hand, and a change that comes meanwhile stays
 * behind for the next: an older vector never comes after a newer one.
 */
@Injectable()
export class StoreChanges {
  constructor(private readonly postgres: PostgresClient) {}

  /** In the ledger's transaction. With `claim` its holder brings at once what nobody has in hand; answers that. */
  async record(connection: Queryable, space: EmbeddingSpace, physicalIds: string[], claim: string | null): Promise<StoreChange[]> {
    if (physicalIds.length === 0) return [];
    const until = claim === null ? sql`NULL::timestamptz` : sql`statement_timestamp() + ${CLAIM}`;
    const rows = await connection.query<ChangeRow>(sql`
      INSERT INTO store_changes AS known (space_id, physical_id, change, claim, claimed_until)
      SELECT ${space.id}::uuid, sent.id, nextval('vector_revisions'), ${claim}::uuid, ${until}
      FROM unnest(${physicalIds}::uuid[]) AS sent (id) ORDER BY sent.id
      ON CONFLICT (space_id, physical_id) DO UPDATE SET change = excluded.change, due_at = now(),
        claim = CASE WHEN known.claimed_until > statement_timestamp() THEN known.claim ELSE excluded.claim END,
        claimed_until = CASE WHEN known.claimed_until > statement_timestamp() THEN known.claimed_until ELSE excluded.claimed_until END
      RETURNING physical_id, change, claim`);
    return rows.filter((row) => claim !== null && row.claim === claim).map(changeOf);
  }

  /** Of these points those that the store does not have yet and nobody has in hand. */
  claim(space: EmbeddingSpace, physicalIds: string[], claim: string): Promise<StoreChange[]> {
    return this.take(space, claim, physicalIds.length, sql`physical_id = ANY(${physicalIds}::uuid[]) AND ${PENDING}`);
  }

  claimDue(space: EmbeddingSpace, limit: number, claim: string): Promise<StoreChange[]> {
    return this.take(space, claim, limit, sql`due_at <= now()`);
  }

  /** How many of these points the store does not have yet. */
  async pending(space: EmbeddingSpace, physicalIds: string[]): Promise<number> {
    const rows = await this.postgres.query<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM store_changes
          WHERE space_id = ${space.id}::uuid AND physical_id = ANY(${physicalIds}::uuid[]) AND ${PENDING}`,
    );
    return rows[0]?.count ?? 0;
  }

  /** The store has them: what has not changed since is forgotten, unless a call before may still arrive. */
  async applied({ claim, space, changes }: ClaimedChanges): Promise<void> {
    const held = sql`SELECT c.physical_id, c.change = brought.change AS same, c.doubtful, brought.change FROM store_changes c
      JOIN unnest(${changes.map((each) => each.physicalId)}::uuid[], ${changes.map((each) => each.change)}::bigint[])
        AS brought (physical_id, change) ON brought.physical_id = c.physical_id
      WHERE c.space_id = ${space.id}::uuid AND c.claim = ${claim}::uuid ORDER BY c.physical_id FOR UPDATE OF c`;
    await this.postgres.query(sql`
      WITH held AS MATERIALIZED (${held}),
      gone AS (DELETE FROM store_changes c USING held
        WHERE c.space_id = ${space.id}::uuid AND c.physical_id = held.physical_id AND held.same AND NOT held.doubtful)
      UPDATE store_changes c SET claim = NULL, claimed_until = NULL, applied = held.change,
        doubtful = false, due_at = CASE WHEN held.doubtful THEN now() + ${SETTLED} ELSE now() END
      FROM held WHERE c.space_id = ${space.id}::uuid AND c.physical_id = held.physical_id AND NOT (held.same AND NOT held.doubtful)`);
  }

  /** The store could not be told, or did not say whether it heard. */
  async release({ claim, space, changes }: ClaimedChanges): Promise<void> {
    await this.postgres.query(sql`
      WITH held AS MATERIALIZED (SELECT physical_id FROM store_changes
        WHERE space_id = ${space.id}::uuid AND claim = ${claim}::uuid AND physical_id = ANY(${changes.map((each) => each.physicalId)}::uuid[])
        ORDER BY physical_id FOR UPDATE)
      UPDATE store_changes c SET claim = NULL, claimed_until = NULL, doubtful = true, applied = NULL
      FROM held WHERE c.space_id = ${space.id}::uuid AND c.physical_id = held.physical_id`);
  }

  /** Spaces of that store with changes that wait for somebody. */
  async waiting(store: string): Promise<EmbeddingSpace[]> {
    const rows = await this.postgres.query<SpaceRow>(
      sql`SELECT s.id, s.store, s.model, s.dimensions, s.metric, s.version, s.physical_name FROM spaces s WHERE s.store = ${store}
          AND EXISTS (SELECT 1 FROM store_changes WHERE space_id = s.id AND due_at <= now() AND ${FREE})`,
    );
    return rows.map(({ physical_name: physicalName, ...space }) => ({ ...space, physicalName }));
  }

  /** A claim that nobody ended was of somebody who died: what he sent may still arrive. */
  private async take(space: EmbeddingSpace, claim: string, limit: number, which: Sql): Promise<StoreChange[]> {
    const rows = await this.postgres.query<ChangeRow>(sql`
      UPDATE store_changes c SET claim = ${claim}::uuid, claimed_until = statement_timestamp() + ${CLAIM}, doubtful = c.doubtful OR c.claim IS NOT NULL
      FROM (SELECT physical_id FROM store_changes WHERE space_id = ${space.id}::uuid AND ${which} AND ${FREE}
        ORDER BY physical_id LIMIT ${limit} FOR UPDATE SKIP LOCKED) AS free
      WHERE c.space_id = ${space.id}::uuid AND c.physical_id = free.physical_id
      RETURNING c.physical_id, c.change, c.claim`);
    return rows.map(changeOf);
  }
}

function changeOf({ physical_id: physicalId, change }: ChangeRow): StoreChange {
  return { physicalId, change };
}
