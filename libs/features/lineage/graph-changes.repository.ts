import { Injectable } from '@nestjs/common';
import { join, PostgresClient, raw, sql, type Queryable, type Sql } from '@backing/postgres';
import type { FeedIdentity, GraphKind } from '@kernel/graph';
import { v7 } from 'uuid';

/** Something that is not in the copy as it is in the ledger. */
export interface GraphChange {
  kind: GraphKind | 'session';
  id: string;
  seq: number;
}

/** How far a copy is: `stage` and `reached` say what has been told to be copied. */
export interface GraphFeed extends FeedIdentity {
  stage: number;
  reached: string;
}

/** Changes are noted for so long after somebody who keeps a copy was last seen; who comes later copies everything anew. */
const WATCH = raw("interval '1 day'");
/** The number under which `graph_note()` takes the lock too. */
const LOCK = 1_764_700_000_002;
const FEED = sql`ledger, fill, stage, reached`;
const LOWEST = '00000000-0000-0000-0000-000000000000';
const LEDGER: Record<GraphKind, Sql> = {
  collection: sql`SELECT id FROM collections WHERE left(name, 1) <> '~'`,
  document: sql`SELECT id FROM documents WHERE visible_version IS NOT NULL`,
  answer: sql`SELECT id FROM chat_messages WHERE citations <> '[]'`,
};

/** Rows of the changes that a copy of the lineage waits for; triggers write them (see the migration). */
@Injectable()
export class GraphChangesRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** From now on every change is noted. A watch that had ended begins a new fill: nobody noted what happened since. */
  async watch(): Promise<GraphFeed> {
    const renewed = await this.postgres.query<GraphFeed>(
      sql`UPDATE graph_feed SET watched_until = now() + ${WATCH} WHERE watched_until > now() + interval '1 minute' RETURNING ${FEED}`,
    );
    return renewed[0] ?? this.postgres.transaction((connection) => this.begin(connection));
  }

  /** All is to be copied again, unless another process was first. */
  async restart(fill: string): Promise<GraphFeed> {
    await this.postgres.query(sql`UPDATE graph_feed SET fill = ${v7()}, stage = 0, reached = '' WHERE fill = ${fill}`);
    const rows = await this.postgres.query<GraphFeed>(sql`SELECT ${FEED} FROM graph_feed`);
    return rows[0] ?? this.watch();
  }

  /** Where the fill is, for one process at a time: the others are answered undefined, or when it is another fill by now. */
  async advance(
    fill: string,
    step: (connection: Queryable, feed: GraphFeed) => Promise<Pick<GraphFeed, 'stage' | 'reached'>>,
  ): Promise<GraphFeed | undefined> {
    return this.postgres.transaction(async (connection) => {
      const rows = await connection.query<GraphFeed>(sql`SELECT ${FEED} FROM graph_feed WHERE fill = ${fill} FOR UPDATE SKIP LOCKED`);
      if (rows[0] === undefined) return undefined;
      const { stage, reached } = await step(connection, rows[0]);
      await connection.query(sql`UPDATE graph_feed SET stage = ${stage}, reached = ${reached}`);
      return { ...rows[0], stage, reached };
    });
  }

  /** What has an id above `reached` in the ledger is to be copied: the next `limit` of one kind. Answers the last id, or undefined at the end. */
  async note(connection: Queryable, kind: GraphKind, reached: string, limit: number): Promise<string | undefined> {
    const rows = await connection.query<{ id: string }>(
      sql`WITH found AS (
            SELECT id FROM (${LEDGER[kind]}) known WHERE id > ${reached === '' ? LOWEST : reached} ORDER BY id LIMIT ${limit}), noted AS (
            INSERT INTO graph_changes (kind, id) SELECT ${kind}, id FROM found ON CONFLICT (kind, id) DO NOTHING)
          SELECT id FROM found ORDER BY id DESC LIMIT 1`,
    );
    return rows[0]?.id;
  }

  /** Of these ids of the copy, those that the ledger does not have are to be removed. */
  async noteStrangers(connection: Queryable, kind: GraphKind, ids: string[]): Promise<void> {
    await connection.query(
      sql`INSERT INTO graph_changes (kind, id) SELECT ${kind}, id FROM unnest(${ids}::uuid[]) AS copied (id)
          WHERE NOT EXISTS (SELECT FROM (${LEDGER[kind]}) known WHERE known.id = copied.id) ON CONFLICT (kind, id) DO NOTHING`,
    );
  }

  /** Takes due changes for `leaseMs`: a process that dies in between leaves them to the next one. */
  async claim(limit: number, leaseMs: number): Promise<GraphChange[]> {
    return this.postgres.query<GraphChange>(
      sql`UPDATE graph_changes g SET available_at = now() + ${leaseMs} * interval '1 millisecond'
          FROM (SELECT kind, id FROM graph_changes WHERE available_at <= now() ORDER BY available_at, seq LIMIT ${limit} FOR UPDATE SKIP LOCKED) due
          WHERE g.kind = due.kind AND g.id = due.id RETURNING g.kind, g.id, g.seq::float8 AS seq`,
    );
  }

  /** What was copied is done, unless it has changed meanwhile. */
  async done(changes: GraphChange[]): Promise<void> {
    if (changes.length === 0) return;
    await this.postgres.query(
      sql`DELETE FROM graph_changes g USING (
            SELECT c.kind, c.id FROM graph_changes c JOIN (VALUES ${valuesOf(changes)}) AS copied (kind, id, seq)
              ON c.kind = copied.kind AND c.id = copied.id AND c.seq = copied.seq FOR UPDATE OF c SKIP LOCKED) copied
          WHERE g.kind = copied.kind AND g.id = copied.id`,
    );
  }

  async release(changes: GraphChange[], delayMs: number): Promise<void> {
    if (changes.length === 0) return;
    await this.postgres.query(
      sql`UPDATE graph_changes g SET available_at = now() + ${delayMs} * interval '1 millisecond' FROM (
            SELECT c.kind, c.id FROM graph_changes c JOIN (VALUES ${valuesOf(changes)}) AS taken (kind, id, seq)
              ON c.kind = taken.kind AND c.id = taken.id FOR UPDATE OF c SKIP LOCKED) taken
          WHERE g.kind = taken.kind AND g.id = taken.id`,
    );
  }

  /** The number of the latest change, whatever became of it. */
  async latest(): Promise<number> {
    const rows = await this.postgres.query<{ seq: number }>(sql`SELECT last_value::float8 AS seq FROM graph_seq`);
    return rows[0]?.seq ?? 0;
  }

  /** Whether nothing up to that change waits any more. */
  async isDone(seq: number): Promise<boolean> {
    return (await this.postgres.query(sql`SELECT 1 FROM graph_changes WHERE seq <= ${seq}::bigint LIMIT 1`)).length === 0;
  }

  private async begin(connection: Queryable): Promise<GraphFeed> {
    // Waits for every transaction that may have asked before there was anybody to note for.
    await connection.query(sql`SELECT pg_advisory_xact_lock(${LOCK}::bigint)`);
    const lapsed = sql`graph_feed.watched_until <= now() + interval '1 minute'`;
    const rows = await connection.query<GraphFeed>(
      sql`INSERT INTO graph_feed (ledger, watched_until, fill) VALUES (${v7()}, now() + ${WATCH}, ${v7()})
          ON CONFLICT (one) DO UPDATE SET watched_until = excluded.watched_until, fill = CASE WHEN ${lapsed} THEN excluded.fill ELSE graph_feed.fill END,
            stage = CASE WHEN ${lapsed} THEN 0 ELSE graph_feed.stage END, reached = CASE WHEN ${lapsed} THEN '' ELSE graph_feed.reached END
          RETURNING ${FEED}`,
    );
    const [feed] = rows;
    if (feed === undefined) throw new Error('The row of the feed did not come back.');
    return feed;
  }
}

function valuesOf(changes: GraphChange[]): Sql {
  return join(changes.map(({ kind, id, seq }) => sql`(${kind}::text, ${id}::uuid, ${seq}::bigint)`));
}
