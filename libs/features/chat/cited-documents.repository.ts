import { Injectable } from '@nestjs/common';
import { sql, type Queryable } from '@backing/postgres';
import type { Citation } from './citation.entity';

/** Whether the documents that an answer cites are still there when it ends. */
@Injectable()
export class CitedDocumentsRepository {
  /**
   * Takes the quotes of documents that were deleted while the answer was written out of its citations and of its events. The rows of the
   * others are locked until the transaction ends: a deletion waits for it, and then finds the stored answer.
   */
  async forgetDeleted(connection: Queryable, jobId: string, citations: Citation[]): Promise<Citation[]> {
    const shown = await connection.query<{ id: string }>(
      sql`SELECT DISTINCT entry->>'document_id' AS id FROM job_events, jsonb_array_elements(data->'citations') AS entry
          WHERE job_id = ${jobId} AND event = 'citations'`,
    );
    const ids = [...new Set([...shown.map(({ id }) => id), ...citations.map((citation) => citation.document_id)])];
    if (ids.length === 0) return citations;
    const there = await connection.query<{ id: string }>(
      sql`SELECT id FROM documents WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR KEY SHARE`,
    );
    const gone = ids.filter((id) => !there.some((document) => document.id === id));
    if (gone.length === 0) return citations;
    await connection.query(
      sql`UPDATE job_events SET data = jsonb_set(data, '{citations}', (
            SELECT jsonb_agg(CASE WHEN entry->>'document_id' = ANY(${gone}::text[]) THEN entry - 'quote' || '{"deleted": true}'::jsonb ELSE entry END ORDER BY place)
            FROM jsonb_array_elements(data->'citations') WITH ORDINALITY AS cited (entry, place)))
          WHERE job_id = ${jobId} AND event = 'citations' AND jsonb_array_length(data->'citations') > 0`,
    );
    return citations.map((citation) => (gone.includes(citation.document_id) ? withoutQuote(citation) : citation));
  }
}

function withoutQuote({ quote: _quote, ...citation }: Citation): Citation {
  return { ...citation, deleted: true };
}
