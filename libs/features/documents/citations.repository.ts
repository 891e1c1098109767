import { Injectable } from '@nestjs/common';
import { raw, sql, type Queryable, type Sql } from '@backing/postgres';
import { forgetInRuns } from './run-traces';

/** Takes the quotes of a deleted document out of stored answers, their jobs and their events; ids stay, marked `deleted`. */
@Injectable()
export class CitationsRepository {
  async forget(connection: Queryable, workspaceId: string, documentId: string): Promise<void> {
    const cites = JSON.stringify([{ document_id: documentId }]);
    // Every job that answered one of these messages, and those still answering: their events may cite it already.
    const jobs = await connection.query<{ id: string }>(
      sql`SELECT job_id AS id FROM chat_messages WHERE workspace_id = ${workspaceId} AND citations @> ${cites}::jsonb AND job_id IS NOT NULL
          UNION SELECT id FROM jobs WHERE workspace_id = ${workspaceId} AND status IN ('queued', 'running', 'waiting')`,
    );
    const jobIds = [...jobs.map((job) => job.id), ...(await forgetInRuns(connection, workspaceId, documentId))];
    await connection.query(
      sql`UPDATE chat_messages SET citations = ${forgotten('citations', documentId)}, updated_at = now()
          WHERE workspace_id = ${workspaceId} AND citations @> ${cites}::jsonb`,
    );
    await connection.query(
      sql`UPDATE job_events SET data = jsonb_set(data, '{citations}', ${forgotten("data->'citations'", documentId)})
          WHERE job_id = ANY(${jobIds}::uuid[]) AND event IN ('citations', 'done') AND data->'citations' @> ${cites}::jsonb`,
    );
    await connection.query(
      sql`UPDATE jobs SET result = jsonb_set(result, '{citations}', ${forgotten("result->'citations'", documentId)})
          WHERE id = ANY(${jobIds}::uuid[]) AND result->'citations' @> ${cites}::jsonb`,
    );
  }
}

/** The citations of a column, those of the document without quote. */
function forgotten(column: string, documentId: string): Sql {
  return sql`(SELECT jsonb_agg(CASE WHEN entry->>'document_id' = ${documentId} THEN entry - 'quote' || '{"deleted": true}'::jsonb ELSE entry END ORDER BY place)
    FROM jsonb_array_elements(${raw(column)}) WITH ORDINALITY AS cited (entry, place))`;
}
