import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import {
  Graph,
  type FeedIdentity,
  type GraphChanges,
  type GraphCopy,
  type GraphKind,
  type LineageChunk,
  type LineagePage,
  type LineageQuery,
} from '@kernel/graph';
import * as cypher from './feed.cypher';
import * as ask from './lineage.cypher';
import { Neo4jClient, type RunCypher } from './neo4j.client';

const READ_MS = 4_000;
const WRITE_MS = 10_000;

/** Where a page begins: after this chunk. */
interface Place {
  after: string | null;
  past: number;
  start: number;
  end: number;
}

const START: Place = { after: null, past: 0, start: 0, end: 0 };

type Row = Omit<LineageChunk, 'answers' | 'moreAnswers'> & {
  answers: { id: string; sessionId: string; index: number; createdAt: string }[];
};

/**
 * Lineage in Neo4j: (:Workspace)-[:HOLDS]->(:Collection)-[:HOLDS]->(:Document)-[:HAS]->(:Chunk)<-[:CITES]-(:Answer)-[:IN]->(:Session).
 * A copy of what the ledger says, kept by numbered changes: `seq` on a node is the last change that it took, (:Gone) remembers for a day
 * what must not come back, and (:Feed) which fill it all belongs to.
 */
@Injectable()
export class Neo4jGraph extends Graph implements GraphCopy {
  readonly copy: GraphCopy = this;
  private declared?: number;
  /** Whose lineage is told: whoever keeps the copy says so. */
  private ledger = '';

  constructor(private readonly client: Neo4jClient) {
    super();
  }

  async lineage(query: LineageQuery): Promise<LineagePage> {
    const page = await this.client.read((run) => this.told(run, query), { milliseconds: READ_MS });
    // Said out here: a server that answers this is not away, and its guard must not count it.
    if (page === undefined) throw new AppError('unavailable', 'The lineage is being copied to Neo4j.', { retryAfterSeconds: 2 });
    return page;
  }

  async filled(ledger: string): Promise<{ fill: string; complete: boolean } | undefined> {
    this.ledger = ledger;
    const rows = await this.client.read((run) => run<{ fill: string; complete: boolean }>(ask.FILLED, { ledger }), {
      milliseconds: READ_MS,
    });
    return rows[0];
  }

  async begin(feed: FeedIdentity): Promise<void> {
    const { lost } = this.client;
    if (this.declared !== lost) await this.client.declare(cypher.SCHEMA);
    this.declared = lost;
    await this.client.write((run) => run(cypher.BEGIN, feed));
  }

  async complete(feed: FeedIdentity): Promise<void> {
    // The first run of a question takes seconds on a server that has just started: nobody waits for this one.
    const nobody = { ledger: feed.ledger, workspaceId: '', userId: '', documentId: '', ...START, limit: 1, answers: 1 };
    const warming = this.client.read(async (run) => {
      for (const question of [ask.VERSION, ask.PAGE]) await run(question, nobody);
    });
    await warming.catch(() => undefined);
    await this.client.write((run) => run(cypher.COMPLETE, feed));
  }

  async apply(feed: FeedIdentity, changes: GraphChanges): Promise<void> {
    await this.client.write((run) => this.change(run, feed, changes), { milliseconds: WRITE_MS });
  }

  async ids(ledger: string, kind: GraphKind, after: string, limit: number): Promise<string[]> {
    const rows = await this.client.read((run) => run<{ id: string }>(cypher.IDS[kind], { ledger, after, limit }));
    return rows.map(({ id }) => id);
  }

  /** Undefined as long as the copy is not complete. */
  private async told(run: RunCypher, { after, limit, answers, ...asked }: LineageQuery): Promise<LineagePage | undefined> {
    const [filled] = await run<{ complete: boolean }>(ask.FILLED, { ledger: this.ledger });
    if (filled?.complete !== true) return undefined;
    const [document] = await run<{ version: number | null }>(ask.VERSION, asked);
    if (document === undefined) return { version: null, chunks: [], hasMore: false };
    const from = after === undefined ? START : await this.placeOf(run, { ...asked, after });
    const found = await run<Row>(ask.PAGE, { ...asked, ...from, limit: limit + 1, answers: answers + 1 });
    return {
      version: document.version,
      chunks: found.slice(0, limit).map((row) => ({
        ...row,
        answers: row.answers.slice(0, answers).map((answer) => ({ ...answer, createdAt: new Date(answer.createdAt) })),
        moreAnswers: row.answers.length > answers,
      })),
      hasMore: found.length > limit,
    };
  }

  private async placeOf(run: RunCypher, cursor: { after: string }): Promise<Place> {
    const [place] = await run<Omit<Place, 'after'>>(ask.PLACE, cursor);
    if (place === undefined) throw AppError.field('invalid', 'after', 'is no chunk of this lineage.');
    return { ...place, after: cursor.after };
  }

  private async change(run: RunCypher, feed: FeedIdentity, changes: GraphChanges): Promise<void> {
    const [held] = await run<{ fill: string }>(cypher.HOLD, feed);
    if (held?.fill !== feed.fill) throw new AppError('conflict', 'The graph is being filled anew.');
    const each = async (statements: readonly string[], rows: readonly object[]): Promise<void> => {
      if (rows.length > 0) for (const statement of statements) await run(statement, { rows, ...feed });
    };
    for (const kind of ['answer', 'document', 'collection'] as const)
      await each(
        cypher.GONE[kind],
        changes.gone.filter((one) => one.kind === kind),
      );
    await each([cypher.COLLECTIONS], changes.collections);
    await each([cypher.CHUNKS], changes.chunks);
    await each([cypher.DOCUMENTS, ...cypher.CHUNKS_OF_DOCUMENTS], changes.documents);
    await each(
      cypher.ANSWERS,
      changes.answers.map((answer) => ({ ...answer, createdAt: answer.createdAt.toISOString() })),
    );
    await each([cypher.SESSIONS], changes.sessions);
    for (const statement of cypher.SWEEP) await run(statement);
  }
}
