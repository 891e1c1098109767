import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { Graph, type LineageChunk, type LineagePage, type LineageQuery } from '@kernel/graph';
import sql, { raw, type Sql } from 'sql-template-tag';
import { PostgresClient } from './postgres.client';

interface AnswerRow {
  id: string;
  sessionId: string;
  index: number;
  createdAt: number;
}

type Row = Omit<LineageChunk, 'answers' | 'moreAnswers'> & { answers: AnswerRow[] };

/** Lineage as the ledger has it: nothing is kept for it, and it is never behind. */
@Injectable()
export class PostgresGraph extends Graph {
  readonly copy = null;

  constructor(private readonly postgres: PostgresClient) {
    super();
  }

  async lineage(query: LineageQuery): Promise<LineagePage> {
    const { documentId, workspaceId, limit, answers, after } = query;
    const [document] = await this.postgres.query<{ version: number | null }>(
      sql`SELECT visible_version AS version FROM documents WHERE id = ${documentId} AND workspace_id = ${workspaceId}`,
    );
    if (document === undefined) return { version: null, chunks: [], hasMore: false };
    if (after !== undefined) await this.assertThere(query, after);
    const beyond =
      after === undefined
        ? sql``
        : sql`WHERE (c.past, c.start, c.end, c.id COLLATE "C") > (SELECT past, start, "end", id COLLATE "C" FROM chunks WHERE id = ${after})`;
    const rows = await this.postgres.query<Row>(
      sql`WITH ${chunksOf(query)}
          SELECT c.id, c.past = 0 AS current, c.page, c.start, c."end", coalesce(a.answers, '[]') AS answers FROM chunks c
          LEFT JOIN LATERAL (
            SELECT jsonb_agg(jsonb_build_object('id', id, 'sessionId', session_id, 'index', index, 'createdAt', at) ORDER BY id DESC, index) AS answers
            FROM (SELECT * FROM cited WHERE cited.chunk_id = c.id ORDER BY id DESC, index LIMIT ${answers + 1}) newest
          ) a ON true
          ${beyond} ORDER BY c.past, c.start, c."end", c.id COLLATE "C" LIMIT ${limit + 1}`,
    );
    return { version: document.version, chunks: rows.slice(0, limit).map((row) => chunkOf(row, answers)), hasMore: rows.length > limit };
  }

  private async assertThere(query: LineageQuery, after: string): Promise<void> {
    const rows = await this.postgres.query(sql`WITH ${chunksOf(query)} SELECT id FROM chunks WHERE id = ${after}`);
    if (rows.length === 0) throw AppError.field('invalid', 'after', 'is no chunk of this lineage.');
  }
}

/** `cited`: each citation of the document that the asker may see; `chunks`: what there is to tell of. */
function chunksOf({ documentId, workspaceId, userId }: LineageQuery): Sql {
  const cites = JSON.stringify([{ document_id: documentId }]);
  const number = (field: string): Sql => raw(`(entry->>'${field}')::int`);
  return sql`cited AS (
      SELECT m.id, m.session_id, floor(extract(epoch FROM m.created_at) * 1000)::float8 AS at, ${number('index')} AS index, entry->>'chunk_id' AS chunk_id,
        ${number('page')} AS page, ${number('start')} AS start, ${number('end')} AS "end"
      FROM chat_messages m JOIN chat_sessions s ON s.id = m.session_id CROSS JOIN LATERAL jsonb_array_elements(m.citations) AS entry
      WHERE m.workspace_id = ${workspaceId} AND m.citations @> ${cites}::jsonb AND (s.owner_id = ${userId} OR s.visibility = 'workspace')
        AND entry->>'document_id' = ${documentId} AND NOT entry ? 'deleted'
    ), current AS (
      SELECT p.id, p.page, p.start_offset AS start, p.end_offset AS "end" FROM points p
      JOIN documents d ON d.id = p.document_id AND d.visible_version = p.document_version WHERE d.id = ${documentId}
    ), chunks AS (
      SELECT id, page, start, "end", 0 AS past FROM current
      UNION ALL
      SELECT chunk_id, min(page), min(start), min("end"), 1 FROM cited WHERE chunk_id NOT IN (SELECT id FROM current) GROUP BY chunk_id
    )`;
}

function chunkOf({ answers, ...row }: Row, most: number): LineageChunk {
  const told = answers.slice(0, most).map(({ createdAt, ...answer }) => ({ ...answer, createdAt: new Date(createdAt) }));
  return { ...row, answers: told, moreAnswers: answers.length > most };
}
