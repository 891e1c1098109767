import { sql, PostgresClient } from '@backing/postgres';
import { VectorStores, type EmbeddingSpace } from '@kernel/vectors';
import type { ApiAnswer, TestApi } from './api';

const ROOT = '/api/v1/vectors/collections';

/** The stores that suites run over: how the product and the test command are told where each is. One more store is one more line. */
export const STORES: Record<string, { settings: Record<string, string>; needs?: string }> = {
  pgvector: { settings: {} },
  chroma: { needs: 'TEST_CHROMA_URL', settings: { CHROMA_URL: 'TEST_CHROMA_URL' } },
  qdrant: { needs: 'TEST_QDRANT_URL', settings: { QDRANT_URL: 'TEST_QDRANT_URL', QDRANT_API_KEY: 'TEST_QDRANT_API_KEY' } },
  faiss: { needs: 'TEST_FAISS_URL', settings: { FAISS_URL: 'TEST_FAISS_URL' } },
};

/** Those whose servers are there. */
export function reachableStores(): string[] {
  return Object.keys(STORES).filter((name) => (process.env[STORES[name]?.needs ?? 'PATH'] ?? '') !== '');
}

/** Settings by which an API is connected to these. */
export function storeSettings(names: string[]): Record<string, string> {
  const pairs = names.flatMap((name) => Object.entries(STORES[name]?.settings ?? {}));
  return Object.fromEntries(pairs.map(([setting, variable]) => [setting, process.env[variable] ?? '']).filter(([, value]) => value !== ''));
}

export interface Found {
  id: string;
  score: number;
  [field: string]: unknown;
}

/** One collection of a running API, over HTTP. */
export class CollectionOf {
  constructor(
    private readonly api: TestApi,
    private readonly token: string,
    readonly name: string,
  ) {}

  static async make(api: TestApi, token: string, body: { name: string; [field: string]: unknown }): Promise<CollectionOf> {
    const { status, text } = await api.post(ROOT, body, token);
    expect([status, status === 201 ? '' : text]).toEqual([201, '']);
    return new CollectionOf(api, token, body.name);
  }

  put(points: object[]): Promise<ApiAnswer> {
    return this.api.request(`${ROOT}/${this.name}/points`, { method: 'PUT', token: this.token, body: { points } });
  }

  bulk(body: Buffer): Promise<Response> {
    return fetch(`${this.api.url}${ROOT}/${this.name}/points`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(body),
    });
  }

  search(body: object): Promise<ApiAnswer> {
    return this.api.post(`${ROOT}/${this.name}/search`, body, this.token);
  }

  async found(body: object): Promise<Found[]> {
    const { status, json, text } = await this.search(body);
    expect([status, status === 200 ? '' : text]).toEqual([200, '']);
    return json.data as unknown as Found[];
  }

  post(path: string, body: object): Promise<ApiAnswer> {
    return this.api.post(`${ROOT}/${this.name}/points/${path}`, body, this.token);
  }

  merge(id: string, metadata: object): Promise<ApiAnswer> {
    return this.api.request(`${ROOT}/${this.name}/points/${id}`, { method: 'PATCH', token: this.token, body: { metadata } });
  }

  remove(id?: string): Promise<ApiAnswer> {
    return this.api.delete(`${ROOT}/${this.name}${id === undefined ? '' : `/points/${id}`}`, this.token);
  }

  /** The space of it, as the ledger has it. */
  async space(): Promise<{ space: EmbeddingSpace; collectionId: string }> {
    const rows = await this.client().query<EmbeddingSpace & { collectionId: string }>(
      sql`SELECT s.id, s.store, s.model, s.dimensions, s.metric, s.version, s.physical_name AS "physicalName", c.id AS "collectionId"
          FROM collections c JOIN spaces s ON s.id = c.space_id WHERE c.name = ${this.name}`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error(`${this.name} has no space.`);
    const { collectionId, ...space } = row;
    return { space, collectionId };
  }

  /** How many points the store itself has. */
  async inStore(): Promise<number> {
    const { space, collectionId } = await this.space();
    return this.api.app.get(VectorStores, { strict: false }).of(space).count(space, collectionId);
  }

  /** Changes of which the stores have not heard. */
  async unheard(): Promise<number> {
    const rows = await this.client().query<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM store_changes WHERE applied IS DISTINCT FROM change`,
    );
    return rows[0]?.count ?? -1;
  }

  private client(): PostgresClient {
    return this.api.app.get(PostgresClient, { strict: false });
  }
}
