import { raw, sql, type Queryable, type Sql } from '@backing/postgres';

/**
 * Takes the words of a deleted document out of the runs of agents: their citations, what tools found and read, and the events that told it. Ids stay,
 * marked `deleted`. Answers the jobs of those runs.
 */
export async function forgetInRuns(connection: Queryable, workspaceId: string, documentId: string): Promise<string[]> {
  const entry = [{ document_id: documentId }];
  const holds = (column: string): Sql =>
    sql`(${raw(column)} @> ${JSON.stringify({ document_id: documentId })}::jsonb OR ${raw(column)} @> ${JSON.stringify({ passages: entry })}::jsonb
      OR ${raw(column)} @> ${JSON.stringify({ citations: entry })}::jsonb)`;
  const runs = await connection.query<{ id: string; job_id: string }>(
    sql`SELECT r.id, r.job_id FROM agent_runs r
        WHERE r.workspace_id = ${workspaceId}::uuid AND (r.citations @> ${JSON.stringify(entry)}::jsonb
          OR EXISTS (SELECT FROM agent_steps s WHERE s.run_id = r.id AND ${holds('s.result')}))`,
  );
  const runIds = runs.map(({ id }) => id);
  const jobIds = runs.map(({ job_id: jobId }) => jobId);
  await connection.query(
    sql`UPDATE agent_runs SET citations = coalesce(${entriesWithout('citations', documentId)}, '[]') WHERE id = ANY(${runIds}::uuid[])`,
  );
  await connection.query(
    sql`UPDATE agent_steps SET result = ${resultWithout('result', documentId)} WHERE run_id = ANY(${runIds}::uuid[]) AND ${holds('result')}`,
  );
  await connection.query(
    sql`UPDATE job_events SET data = jsonb_set(data, '{result}', ${resultWithout("data->'result'", documentId)})
        WHERE job_id = ANY(${jobIds}::uuid[]) AND event = 'tool_result' AND ${holds("(data->'result')")}`,
  );
  return jobIds;
}

/** A result of a tool or the citations of an answer, whichever it is. */
function resultWithout(column: string, documentId: string): Sql {
  return sql`CASE WHEN ${raw(column)} ? 'passages' THEN jsonb_set(${raw(column)}, '{passages}', ${entriesWithout(`${column}->'passages'`, documentId)})
    WHEN ${raw(column)} ? 'citations' THEN jsonb_set(${raw(column)}, '{citations}', ${entriesWithout(`${column}->'citations'`, documentId)})
    ELSE (${raw(column)}) - 'text' || '{"deleted": true}'::jsonb END`;
}

function entriesWithout(column: string, documentId: string): Sql {
  return sql`(SELECT jsonb_agg(CASE WHEN entry->>'document_id' = ${documentId} THEN entry - 'quote' - 'text' || '{"deleted": true}'::jsonb ELSE entry END ORDER BY place)
    FROM jsonb_array_elements(${raw(column)}) WITH ORDINALITY AS told (entry, place))`;
}
