import { PostgresClient, sql } from '@backing/postgres';
import { DocumentSweep } from '@features/documents';
import { Blobs } from '@kernel/blobs';
import { VectorStores, type EmbeddingSpace } from '@kernel/vectors';
import type { ApiAnswer, Registered, TestApi } from './api';
import { parseEvents, type StreamedEvent } from './events';
import { until } from './until';

export interface DocumentBody {
  id: string;
  status: string;
  chunks: number;
  error: { code: string; message: string; retryable: boolean } | null;
  [field: string]: unknown;
}

/** What is left of documents anywhere: all zero when nothing is. */
export interface Remains {
  documents: number;
  points: number;
  vectors: number;
  blobs: string[];
}

/** A person's documents in the running application. */
export class DocumentsOf {
  constructor(
    private readonly api: TestApi,
    private readonly person: Registered,
  ) {}

  upload(content: string | Buffer, name = 'notes.txt', fields: Record<string, string> = {}): Promise<ApiAnswer> {
    const form = new FormData();
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    form.append('file', new Blob([new Uint8Array(bytes)]), name);
    for (const [field, value] of Object.entries(fields)) form.append(field, value);
    return this.api.post('/api/v1/documents', form, this.person.accessToken);
  }

  add(body: object): Promise<ApiAnswer> {
    return this.api.post('/api/v1/documents', body, this.person.accessToken);
  }

  /** Of an answer with status 202. */
  accepted(answer: ApiAnswer): { id: string; jobId: string } {
    expect([answer.status, answer.status === 202 ? '' : answer.text]).toEqual([202, '']);
    const { document, job } = answer.json as unknown as { document: { id: string }; job: { id: string } };
    return { id: document.id, jobId: job.id };
  }

  async get(id: string): Promise<DocumentBody> {
    return (await this.api.get(`/api/v1/documents/${id}`, this.person.accessToken)).json as unknown as DocumentBody;
  }

  /** All events of a job; resolves when it has ended. */
  async events(jobId: string): Promise<StreamedEvent[]> {
    return parseEvents(await this.api.fetch(`/api/v1/jobs/${jobId}/events`, { token: this.person.accessToken }));
  }

  /** The document of an accepting answer, once it is ready. */
  async ready(answer: ApiAnswer): Promise<DocumentBody> {
    const { id, jobId } = this.accepted(answer);
    const last = (await this.events(jobId)).at(-1);
    expect(last).toMatchObject({ event: 'done', data: { document_id: id } });
    const document = await this.get(id);
    expect(document.status).toBe('ready');
    return document;
  }

  /** A store outside the database has heard all by then. */
  async remains(): Promise<Remains> {
    const client = this.api.app.get(PostgresClient, { strict: false });
    const untold = sql`SELECT 1 FROM store_changes WHERE applied IS DISTINCT FROM change LIMIT 1`;
    await until(async () => (await client.query(untold)).length === 0, 10_000);
    const count = async (table: 'documents' | 'points'): Promise<number> => {
      const statement = table === 'documents' ? sql`SELECT count(*)::int AS n FROM documents` : sql`SELECT count(*)::int AS n FROM points`;
      return (await client.query<{ n: number }>(statement))[0]?.n ?? -1;
    };
    const blobs = this.api.app.get(Blobs, { strict: false });
    return {
      documents: await count('documents'),
      points: await count('points'),
      vectors: await this.vectors(client),
      blobs: [...(await blobs.keys('documents/')), ...(await blobs.keys('texts/'))],
    };
  }

  /** Lets what runs after an end come to its own end, until `done` says so; fails after ten seconds. */
  async settled(done: (remains: Remains) => boolean): Promise<Remains> {
    const sweep = this.api.app.get(DocumentSweep, { strict: false });
    const deadline = performance.now() + 10_000;
    for (;;) {
      await sweep.idle();
      const remains = await this.remains();
      if (done(remains) || performance.now() > deadline) return remains;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private async vectors(client: PostgresClient): Promise<number> {
    const stores = this.api.app.get(VectorStores, { strict: false });
    const spaces = await client.query<{
      id: string;
      store: string;
      model: string;
      dimensions: number;
      version: number;
      name: string;
      collection: string;
    }>(
      sql`SELECT s.id, s.store, s.model, s.dimensions, s.version, s.physical_name AS name, c.id AS collection FROM collections c JOIN spaces s ON s.id = c.space_id`,
    );
    let total = 0;
    for (const { name, collection, ...rest } of spaces) {
      const space: EmbeddingSpace = { ...rest, metric: 'cosine', physicalName: name };
      total += await stores.of(space).count(space, collection);
    }
    return total;
  }
}
