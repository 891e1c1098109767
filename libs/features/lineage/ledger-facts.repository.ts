import { Injectable } from '@nestjs/common';
import { PostgresClient, sql } from '@backing/postgres';
import type { AnswerFact, ChunkFact, CitationFact, CollectionFact, DocumentFact, GraphChanges, SessionFact } from '@kernel/graph';
import type { GraphChange } from './graph-changes.repository';

type Row<Fact> = Omit<Fact, 'seq'>;
type AnswerRow = Omit<AnswerFact, 'seq'> & Pick<SessionFact, 'workspaceId' | 'ownerId' | 'visibility'>;

/** The facts of a change without the chunks, which may be many. */
export type ChangedFacts = Omit<GraphChanges, 'chunks'>;

/** What the ledger says of things that changed. Read after the change was taken, so that it is as new as its number or newer. */
@Injectable()
export class LedgerFactsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async of(changes: GraphChange[]): Promise<ChangedFacts> {
    const [collections, documents, sessions, answers] = await Promise.all([
      this.collections(changes),
      this.documents(changes),
      this.sessions(changes),
      this.answers(changes),
    ]);
    const there = new Set([...collections, ...documents, ...answers.map((answer) => answer.fact)].map(({ id }) => id));
    const gone = changes.flatMap(({ kind, id, seq }) => (kind === 'session' || there.has(id) ? [] : [{ kind, id, seq }]));
    return {
      collections,
      documents,
      sessions: [...sessions, ...answers.map((answer) => answer.session)],
      answers: answers.map((answer) => answer.fact),
      gone,
    };
  }

  /** The chunks of a document as searches see it, above `after` by id; `limit` at most. */
  async chunks({ id, version, seq }: DocumentFact, after: string, limit: number): Promise<ChunkFact[]> {
    const rows = await this.postgres.query<Row<ChunkFact>>(
      sql`SELECT p.id, p.document_id AS "documentId", p.document_version AS version, p.page, p.start_offset AS start, p.end_offset AS "end" FROM points p
          WHERE p.document_id = ${id} AND p.document_version = ${version} AND p.id COLLATE "C" > ${after} ORDER BY p.id COLLATE "C" LIMIT ${limit}`,
    );
    return rows.map((row) => ({ ...row, seq }));
  }

  private async collections(changes: GraphChange[]): Promise<CollectionFact[]> {
    const wanted = numbers(changes, 'collection');
    if (wanted.size === 0) return [];
    const rows = await this.postgres.query<Row<CollectionFact>>(
      sql`SELECT id, workspace_id AS "workspaceId", name FROM collections WHERE id = ANY(${[...wanted.keys()]}::uuid[]) AND left(name, 1) <> '~'`,
    );
    return rows.map((row) => numbered(row, wanted));
  }

  private async documents(changes: GraphChange[]): Promise<DocumentFact[]> {
    const wanted = numbers(changes, 'document');
    if (wanted.size === 0) return [];
    const rows = await this.postgres.query<Row<DocumentFact>>(
      sql`SELECT id, workspace_id AS "workspaceId", collection_id AS "collectionId", name, visible_version AS version FROM documents
          WHERE id = ANY(${[...wanted.keys()]}::uuid[]) AND visible_version IS NOT NULL`,
    );
    return rows.map((row) => numbered(row, wanted));
  }

  private async sessions(changes: GraphChange[]): Promise<SessionFact[]> {
    const wanted = numbers(changes, 'session');
    if (wanted.size === 0) return [];
    const rows = await this.postgres.query<Row<SessionFact>>(
      sql`SELECT id, workspace_id AS "workspaceId", owner_id AS "ownerId", visibility FROM chat_sessions WHERE id = ANY(${[...wanted.keys()]}::uuid[])`,
    );
    return rows.map((row) => numbered(row, wanted));
  }

  /** An answer that cites nothing any more is not among them. */
  private async answers(changes: GraphChange[]): Promise<{ fact: AnswerFact; session: SessionFact }[]> {
    const wanted = numbers(changes, 'answer');
    if (wanted.size === 0) return [];
    const rows = await this.postgres.query<AnswerRow>(
      sql`SELECT m.id, m.session_id AS "sessionId", m.created_at AS "createdAt", s.workspace_id AS "workspaceId", s.owner_id AS "ownerId", s.visibility,
            (SELECT jsonb_agg(jsonb_build_object('index', entry->'index', 'chunkId', entry->'chunk_id', 'documentId', entry->'document_id', 'page', entry->'page',
                'start', entry->'start', 'end', entry->'end'))
              FROM jsonb_array_elements(m.citations) AS entry WHERE NOT entry ? 'deleted') AS citations
          FROM chat_messages m JOIN chat_sessions s ON s.id = m.session_id WHERE m.id = ANY(${[...wanted.keys()]}::uuid[])`,
    );
    return rows
      .filter(({ citations }: { citations: CitationFact[] | null }) => citations !== null)
      .map(({ workspaceId, ownerId, visibility, ...row }) => {
        const fact = numbered(row, wanted);
        return { fact, session: { id: fact.sessionId, seq: fact.seq, workspaceId, ownerId, visibility } };
      });
  }
}

function numbers(changes: GraphChange[], kind: GraphChange['kind']): Map<string, number> {
  return new Map(changes.filter((change) => change.kind === kind).map(({ id, seq }) => [id, seq]));
}

function numbered<Fact extends { id: string }>(row: Fact, seqs: Map<string, number>): Fact & { seq: number } {
  return { ...row, seq: seqs.get(row.id) ?? 0 };
}
