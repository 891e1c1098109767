import { Neo4jClient } from '@backing/neo4j';
import { PostgresClient, sql } from '@backing/postgres';
import { v5, v7 } from 'uuid';
import type { TestApi } from './api';

/** What a test writes of a citation. */
export interface WrittenCitation {
  documentId: string;
  version: number;
  ordinal: number;
}

/** The settings that an address with user and password stands for. */
export function neo4jSettings(shared: string): Record<string, string> {
  const { username, password, hostname, port, protocol } = new URL(shared);
  return { NEO4J_URL: `${protocol}//${hostname}:${port}`, NEO4J_USER: username, NEO4J_PASSWORD: decodeURIComponent(password) };
}

/** Documents and answers written straight into the ledger of a running application, and its copy in Neo4j looked at. */
export class LineageBench {
  readonly ledger: PostgresClient;

  constructor(
    private readonly api: TestApi,
    private readonly owner: { workspaceId: string; userId: string },
  ) {
    this.ledger = api.app.get(PostgresClient, { strict: false });
  }

  static chunkId(documentId: string, version: number, ordinal: number): string {
    return v5(`${version}/${ordinal}`, documentId);
  }

  async collection(name = 'default'): Promise<string> {
    const { workspaceId, userId } = this.owner;
    await this.ledger.query(
      sql`INSERT INTO collections (id, workspace_id, owner_id, name) VALUES (${v7()}, ${workspaceId}, ${userId}, ${name}) ON CONFLICT DO NOTHING`,
    );
    const rows = await this.ledger.query<{ id: string }>(
      sql`SELECT id FROM collections WHERE workspace_id = ${workspaceId} AND name = ${name}`,
    );
    return rows[0]?.id ?? '';
  }

  async space(): Promise<string> {
    const [known] = await this.ledger.query<{ id: string }>(sql`SELECT id FROM spaces LIMIT 1`);
    if (known !== undefined) return known.id;
    const id = v7();
    await this.ledger.query(
      sql`INSERT INTO spaces (id, store, dimensions, metric, version, physical_name) VALUES (${id}, 'pgvector', 3, 'cosine', 1, ${`space_${id.replaceAll('-', '')}`})`,
    );
    return id;
  }

  /** A visible document with so many chunks. */
  async document(collectionId: string, chunks: number, name = 'notes.txt'): Promise<string> {
    const id = v7();
    const { workspaceId, userId } = this.owner;
    await this.ledger.query(
      sql`INSERT INTO documents (id, workspace_id, owner_id, collection_id, name, media_type, bytes, sha256, status)
          VALUES (${id}, ${workspaceId}, ${userId}, ${collectionId}, ${name}, 'text/plain', 1, ${id}, 'ingesting')`,
    );
    await this.show(id, collectionId, 1, chunks);
    return id;
  }

  /** The version becomes the one that searches see; as after the sweep, the earlier one's chunks are no more. */
  async show(id: string, collectionId: string, version: number, chunks: number): Promise<void> {
    const spaceId = await this.space();
    const { workspaceId, userId } = this.owner;
    for (let at = 0; at < chunks; at += 1_000) {
      const ordinals = Array.from({ length: Math.min(1_000, chunks - at) }, (_, n) => at + n);
      const ids = ordinals.map((ordinal) => LineageBench.chunkId(id, version, ordinal));
      await this.ledger.query(
        sql`INSERT INTO points (collection_id, id, physical_id, space_id, workspace_id, owner_id, document_id, document_version, kind, ordinal, page,
              start_offset, end_offset, text, vector, vector_sha256)
            SELECT ${collectionId}, p.id, gen_random_uuid(), ${spaceId}, ${workspaceId}, ${userId}, ${id}, ${version}, 'chunk', p.ordinal, p.ordinal / 10 + 1,
              p.ordinal * 100, p.ordinal * 100 + 90, 'x', '\\x00', '\\x00' FROM unnest(${ids}::text[], ${ordinals}::int[]) AS p (id, ordinal)`,
      );
    }
    await this.ledger.transaction(async (connection) => {
      await connection.query(
        sql`UPDATE documents SET version = ${version}, visible_version = ${version}, status = 'ready', chunks = ${chunks} WHERE id = ${id}`,
      );
      await connection.query(sql`DELETE FROM points WHERE document_id = ${id} AND document_version <> ${version}`);
    });
  }

  /** Another member of the workspace: only rows, nobody signs in as them. */
  async member(): Promise<string> {
    const id = v7();
    await this.ledger.query(sql`INSERT INTO users (id, email, password_hash) VALUES (${id}, ${`${id}@example.org`}, 'x')`);
    await this.ledger.query(sql`INSERT INTO memberships (workspace_id, user_id, role) VALUES (${this.owner.workspaceId}, ${id}, 'viewer')`);
    return id;
  }

  /** What was private is shared, and the other way round. */
  async turn(sessionId: string): Promise<void> {
    await this.ledger.query(
      sql`UPDATE chat_sessions SET visibility = CASE visibility WHEN 'private' THEN 'workspace' ELSE 'private' END WHERE id = ${sessionId}`,
    );
  }

  async session(ownerId: string, visibility: 'private' | 'workspace'): Promise<string> {
    const id = v7();
    await this.ledger.query(
      sql`INSERT INTO chat_sessions (id, workspace_id, owner_id, visibility) VALUES (${id}, ${this.owner.workspaceId}, ${ownerId}, ${visibility})`,
    );
    return id;
  }

  async answer(sessionId: string, cited: WrittenCitation[]): Promise<string> {
    const id = v7();
    const citations = cited.map(({ documentId, version, ordinal }, index) => ({
      index: index + 1,
      document_id: documentId,
      document: 'notes.txt',
      chunk_id: LineageBench.chunkId(documentId, version, ordinal),
      page: Math.floor(ordinal / 10) + 1,
      start: ordinal * 100,
      end: ordinal * 100 + 90,
      score: 1,
      quote: 'x',
      supports: [],
    }));
    await this.ledger.query(
      sql`INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, role, content, status, citations)
          SELECT ${id}, s.id, s.workspace_id, s.owner_id, 'assistant', 'x', 'complete', ${JSON.stringify(citations)}::jsonb
          FROM chat_sessions s WHERE s.id = ${sessionId}`,
    );
    return id;
  }

  /** Resolves when no change waits any more and the copy says that it is complete. */
  async copied(deadlineMs = 30_000): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const waiting = await this.ledger.query<{ kind: string }>(sql`SELECT kind FROM graph_changes LIMIT 5`);
      const complete = waiting.length === 0 && (await this.complete());
      if (complete) return;
      if (performance.now() > deadline)
        throw new Error(`The copy is not complete: ${waiting.map(({ kind }) => kind).join(', ') || 'filling'}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** What the copy has otherwise than the ledger, line by line; an empty list when they are the same. */
  async differences(): Promise<string[]> {
    const [ledger, copy] = [await this.ofLedger(), await this.ofCopy()];
    const inCopy = new Set(copy);
    const inLedger = new Set(ledger);
    return [
      ...ledger.filter((line) => !inCopy.has(line)).map((line) => `- ${line}`),
      ...copy.filter((line) => !inLedger.has(line)).map((line) => `+ ${line}`),
    ];
  }

  /** Takes the copy of this ledger out of a server that others use too. */
  async removeCopy(): Promise<void> {
    const [feed] = await this.ledger.query<{ ledger: string }>(sql`SELECT ledger FROM graph_feed`);
    const mine = { ledger: feed?.ledger ?? '' };
    await this.run(
      'MATCH (d:Document {ledger: $ledger}) OPTIONAL MATCH (d)-[:HAS]->(c:Chunk) DETACH DELETE c WITH DISTINCT d DETACH DELETE d',
      mine,
    );
    await this.run(
      'MATCH (a:Answer {ledger: $ledger}) OPTIONAL MATCH (a)-[:IN]->(s:Session) DETACH DELETE s WITH DISTINCT a DETACH DELETE a',
      mine,
    );
    await this.run(
      'MATCH (c:Collection {ledger: $ledger}) OPTIONAL MATCH (w:Workspace)-[:HOLDS]->(c) DETACH DELETE w WITH DISTINCT c DETACH DELETE c',
      mine,
    );
    await this.run('MATCH (f:Feed {key: $ledger}) DELETE f', mine);
  }

  run<Row>(cypher: string, parameters: object = {}): Promise<Row[]> {
    return this.api.app.get(Neo4jClient, { strict: false }).write((run) => run<Row>(cypher, parameters));
  }

  private async complete(): Promise<boolean> {
    const [feed] = await this.ledger.query<{ ledger: string; fill: string }>(sql`SELECT ledger, fill FROM graph_feed`);
    if (feed === undefined) return false;
    const cypher = 'MATCH (f:Feed {key: $ledger, fill: $fill, complete: true}) RETURN f.fill AS fill';
    return (await this.run(cypher, feed).catch(() => [])).length === 1;
  }

  private async ofLedger(): Promise<string[]> {
    const lines = async (statement: ReturnType<typeof sql>): Promise<string[]> =>
      (await this.ledger.query<{ line: string }>(statement)).map(({ line }) => line);
    return [
      ...(await lines(
        sql`SELECT format('collection %s %s of %s', id, name, workspace_id) AS line FROM collections WHERE left(name, 1) <> '~'`,
      )),
      ...(await lines(
        sql`SELECT format('document %s v%s %s in %s', id, visible_version, name, collection_id) AS line FROM documents WHERE visible_version IS NOT NULL`,
      )),
      ...(await lines(
        sql`SELECT format('chunk %s of %s p%s %s-%s', p.id, d.id, p.page, p.start_offset, p.end_offset) AS line FROM points p
            JOIN documents d ON d.id = p.document_id AND d.visible_version = p.document_version`,
      )),
      ...(await lines(
        sql`SELECT format('answer %s of %s (%s %s) cites %s of %s as %s', m.id, s.id, s.owner_id, s.visibility, e->>'chunk_id', e->>'document_id', e->>'index') AS line
            FROM chat_messages m JOIN chat_sessions s ON s.id = m.session_id CROSS JOIN LATERAL jsonb_array_elements(m.citations) e WHERE NOT e ? 'deleted'`,
      )),
    ];
  }

  private async ofCopy(): Promise<string[]> {
    const [feed] = await this.ledger.query<{ ledger: string }>(sql`SELECT ledger FROM graph_feed`);
    const lines = async (cypher: string): Promise<string[]> =>
      (await this.run<{ line: string }>(cypher, { ledger: feed?.ledger ?? '' })).map(({ line }) => line);
    return [
      ...(await lines(
        "MATCH (w:Workspace)-[:HOLDS]->(n:Collection {ledger: $ledger}) RETURN 'collection ' + n.id + ' ' + n.name + ' of ' + w.id AS line",
      )),
      ...(await lines(
        "MATCH (c:Collection)-[:HOLDS]->(n:Document {ledger: $ledger}) RETURN 'document ' + n.id + ' v' + n.version + ' ' + n.name + ' in ' + c.id AS line",
      )),
      ...(await lines(
        `MATCH (d:Document {ledger: $ledger})-[:HAS]->(c:Chunk) WHERE c.version = d.version
         RETURN 'chunk ' + c.id + ' of ' + d.id + ' p' + c.page + ' ' + c.start + '-' + c.end AS line`,
      )),
      ...(await lines(
        `MATCH (s:Session)<-[:IN]-(a:Answer {ledger: $ledger})-[r:CITES]->(c:Chunk)<-[:HAS]-(d:Document)
         RETURN 'answer ' + a.id + ' of ' + s.id + ' (' + s.owner_id + ' ' + s.visibility + ') cites ' + c.id + ' of ' + d.id + ' as ' + r.index AS line`,
      )),
      // What nothing leads to.
      ...(await lines(`MATCH (c:Chunk) WHERE NOT (c)<-[:HAS]-() RETURN 'lost chunk ' + c.id AS line`)),
      ...(await lines(
        `MATCH (d:Document {ledger: $ledger})-[:HAS]->(c:Chunk) WHERE c.version <> d.version AND NOT (c)<-[:CITES]-() RETURN 'old chunk ' + c.id AS line`,
      )),
      ...(await lines(`MATCH (a:Answer {ledger: $ledger}) WHERE NOT (a)-[:CITES]->() RETURN 'silent answer ' + a.id AS line`)),
      ...(await lines(`MATCH (s:Session) WHERE NOT (s)<-[:IN]-() RETURN 'empty session ' + s.id AS line`)),
      ...(await lines(`MATCH (w:Workspace) WHERE NOT (w)-[:HOLDS]->() RETURN 'empty workspace ' + w.id AS line`)),
    ];
  }
}
