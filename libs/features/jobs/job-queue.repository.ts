import { sql, type Sql } from '@backing/postgres';
import type { JobLane } from '@kernel/jobs';

/**
 * Whose turn it is among the workspaces that wait in a lane: the one with the fewest jobs of the kind at work, then the one that was served longest ago, then the
 * one that waits longest; of its jobs the oldest. With it one workspace's five hundred documents hold another's single one up by one turn.
 * Each step of the recursion jumps over the rest of a workspace (a loose index scan), so that a queue costs by its workspaces and the past costs nothing.
 */
const turns = ({ kind, version }: JobLane): Sql => sql`
  waiting (workspace_id) AS (
    (SELECT workspace_id FROM jobs WHERE status = 'queued' AND kind = ${kind} AND contract_version = ${version} ORDER BY workspace_id LIMIT 1)
    UNION ALL
    SELECT (SELECT jobs.workspace_id FROM jobs WHERE jobs.status = 'queued' AND jobs.kind = ${kind} AND jobs.contract_version = ${version}
              AND jobs.workspace_id > waiting.workspace_id ORDER BY jobs.workspace_id LIMIT 1)
    FROM waiting WHERE waiting.workspace_id IS NOT NULL
  ), turns AS (
    SELECT waiting.workspace_id, head.id AS head,
      (SELECT count(*) FROM jobs WHERE jobs.status = 'running' AND jobs.kind = ${kind} AND jobs.workspace_id = waiting.workspace_id) AS at_work,
      (SELECT max(jobs.started_at) FROM jobs
        WHERE jobs.kind = ${kind} AND jobs.workspace_id = waiting.workspace_id AND jobs.started_at IS NOT NULL) AS served_at
    FROM waiting CROSS JOIN LATERAL (
      SELECT jobs.id FROM jobs WHERE ${queuedIn({ kind, version })} AND ${oldestOf(sql`waiting.workspace_id`)} LIMIT 1
    ) AS head
  )`;

const isDue: Sql = sql`(jobs.retry_at IS NULL OR jobs.retry_at <= now())`;

/**
 * A workspace's due jobs, the oldest first. The range of one keeps the workspace in the order, which then is that of the queue's index alone: with an equality the
 * order is that of the primary key as well, by which the planner reads the whole past of a workspace that has a long queue.
 */
const oldestOf = (workspaceId: Sql): Sql => sql`jobs.workspace_id BETWEEN ${workspaceId} AND ${workspaceId} AND ${isDue}
        ORDER BY jobs.workspace_id, jobs.id`;

const queuedIn = ({ kind, version }: JobLane): Sql =>
  sql`jobs.status = 'queued' AND jobs.kind = ${kind} AND jobs.contract_version = ${version}`;

/**
 * The CTE `due`, to stand after WITH RECURSIVE: the columns of the job of the lane whose turn it is, its row locked. What others hold is left out, so that many may
 * claim at once; the rows of the sorted turns are tried in their order, and none is locked but the one that is found.
 */
export function nextInLane(lane: JobLane, columns: Sql): Sql {
  return sql`${turns(lane)}, due AS (
    SELECT next.* FROM (SELECT workspace_id FROM turns ORDER BY at_work, served_at NULLS FIRST, head) AS turn CROSS JOIN LATERAL (
      SELECT ${columns} FROM jobs WHERE ${queuedIn(lane)} AND ${oldestOf(sql`turn.workspace_id`)} LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS next LIMIT 1
  )`;
}

/**
 * How many jobs of the lane would be taken before this one if nothing else happened, as `ahead`: each job is as late as its workspace will have jobs at work
 * then; among equals the rule of the turns holds.
 */
export function aheadInLane(lane: JobLane, id: string): Sql {
  return sql`WITH queued AS (
      SELECT jobs.id, jobs.workspace_id, row_number() OVER (PARTITION BY jobs.workspace_id ORDER BY jobs.id) - 1 AS before,
        first_value(jobs.id) OVER (PARTITION BY jobs.workspace_id ORDER BY jobs.id) AS head
      FROM jobs WHERE ${queuedIn(lane)} AND (${isDue} OR jobs.id = ${id}::uuid)
    ), spaces AS MATERIALIZED (
      SELECT space.workspace_id,
        (SELECT count(*) FROM jobs WHERE jobs.status = 'running' AND jobs.kind = ${lane.kind} AND jobs.workspace_id = space.workspace_id) AS at_work,
        (SELECT coalesce(max(jobs.started_at), '-infinity') FROM jobs
          WHERE jobs.kind = ${lane.kind} AND jobs.workspace_id = space.workspace_id AND jobs.started_at IS NOT NULL) AS served_at
      FROM (SELECT DISTINCT workspace_id FROM queued) AS space
    ), places AS MATERIALIZED (
      SELECT queued.id, ROW(spaces.at_work + queued.before, -spaces.at_work, spaces.served_at, queued.head) AS place
      FROM queued JOIN spaces USING (workspace_id)
    )
    SELECT count(*)::int AS ahead FROM places WHERE place < (SELECT place FROM places WHERE id = ${id}::uuid)`;
}
