import { PostgresClient, sql } from '@backing/postgres';
import type { Registered, TestApi } from './api';
import { startApi } from './api';
import { FaultProxy } from './fault-proxy';
import type { TestServer } from './services';
import { until } from './until';
import { CollectionOf } from './vector-stores';

/** How a suite speaks to a store past the product: every point of a store's collection with its vector. */
export type StoredPoints = (physicalName: string) => Promise<Map<string, number[]>>;

/** A store of a test's own behind a proxy, an API that is connected to it, a collection there and one in the database. */
export class StoreBench {
  private readonly loads: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly api: TestApi,
    readonly me: Registered,
    readonly proxy: FaultProxy,
    readonly server: TestServer,
    readonly store: string,
  ) {}

  static async open(store: string, server: TestServer, settings: (url: string) => Record<string, string>): Promise<StoreBench> {
    const { proxy, url } = await FaultProxy.beforeUrl(server.url);
    const api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000', ...settings(url) } });
    return new StoreBench(api, await api.register(), proxy, server, store);
  }

  make(name: string, more: object = {}): Promise<CollectionOf> {
    return CollectionOf.make(this.api, this.me.accessToken, { name, store: this.store, dimensions: 4, ...more });
  }

  /** Writes points with ids of their own, one batch after the other, until it is told to stop; answers what was acknowledged, by id. */
  load(collection: CollectionOf, prefix: string): { stop(): Promise<{ acknowledged: Map<string, number[]>; statuses: Set<number> }> } {
    const acknowledged = new Map<string, number[]>();
    const statuses = new Set<number>();
    let running = true;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let n = 0; running; n += 1) {
        // Ids come again, so that newer vectors meet older ones on their way.
        const points = [0, 1].map((k) => ({ id: `${prefix}-${writer}-${(n + k) % 40}`, vector: [writer + 1, n, k, Math.random()] }));
        const { status } = await collection.put(points);
        statuses.add(status);
        if (status === 200) for (const { id, vector } of points) acknowledged.set(id, vector);
        else for (const { id } of points) acknowledged.delete(id);
      }
    });
    const stop = async () => {
      running = false;
      await Promise.all(writers);
      return { acknowledged, statuses };
    };
    this.loads.push(stop);
    return { stop };
  }

  /** After a test, however it ended: nobody writes any more, and nothing stands between API and store. */
  async ended(): Promise<void> {
    await this.proxy.clear();
    this.proxy.resetAll();
    for (const stop of this.loads.splice(0)) await stop();
  }

  /** Resolves when the store has heard everything. */
  async settled(milliseconds = 30_000): Promise<void> {
    await until(async () => {
      const rows = await this.api.app
        .get(PostgresClient, { strict: false })
        .query<{ count: number }>(sql`SELECT count(*)::int AS count FROM store_changes WHERE applied IS DISTINCT FROM change`);
      return rows[0]?.count === 0;
    }, milliseconds);
  }

  /** The ledger's vectors of a collection by physical id. */
  async ledger(collection: CollectionOf): Promise<Map<string, number[]>> {
    const { space } = await collection.space();
    const rows = await this.api.app
      .get(PostgresClient, { strict: false })
      .query<{ id: string; vector: Buffer }>(sql`SELECT physical_id AS id, vector FROM points WHERE space_id = ${space.id}::uuid`);
    return new Map(rows.map(({ id, vector }) => [id, Array.from({ length: vector.length / 4 }, (_, n) => vector.readFloatLE(n * 4))]));
  }

  /** Store and ledger hold the same ids with the same float32 numbers; answers how many. */
  async compared(collection: CollectionOf, stored: StoredPoints): Promise<number> {
    const { space } = await collection.space();
    const [ours, theirs] = [await this.ledger(collection), await stored(space.physicalName)];
    expect([...theirs.keys()].sort()).toEqual([...ours.keys()].sort());
    for (const [id, vector] of ours) expect([id, [...Float32Array.from(theirs.get(id) ?? [])]]).toEqual([id, vector]);
    return ours.size;
  }

  async close(): Promise<void> {
    await this.api.close();
    await this.proxy.close();
    await this.server.stop();
  }
}
