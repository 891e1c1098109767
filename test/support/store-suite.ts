import { VectorStores, type VectorStore } from '@kernel/vectors';
import type { ApiAnswer } from './api';
import { startServerOf, type TestServer } from './services';
import { StoreBench, type StoredPoints } from './store-faults';
import { until } from './until';
import type { CollectionOf } from './vector-stores';

export interface StoreUnderTest {
  /** As the contract calls it. */
  name: string;
  file: string;
  starter: string;
  settings(server: TestServer): (url: string) => Record<string, string>;
  stored(server: TestServer): StoredPoints;
}

const AT_ONCE_MS = 50;

/** What every store outside the database must bear: its server away, killed, slow, silent and resetting. */
export function storeFaults({ name, file, starter, settings, stored }: StoreUnderTest): void {
  describe(`${name} as a server that fails`, () => {
    let server: TestServer;
    let bench: StoreBench;
    let there: CollectionOf;
    let elsewhere: CollectionOf;
    beforeAll(async () => {
      server = await startServerOf(file, starter);
      bench = await StoreBench.open(name, server, settings(server));
      there = await bench.make('there', { metric: 'l2' });
      elsewhere = await bench.make('elsewhere', { store: 'pgvector', metric: 'l2' });
    });
    afterEach(async () => {
      await bench.ended();
    });
    afterAll(() => bench?.close());

    const health = async () =>
      (await bench.api.get(`/api/v1/health/services/${name}`, bench.me.accessToken)).json as Record<string, unknown>;
    const timed = async (work: () => Promise<ApiAnswer>): Promise<[ApiAnswer, number]> => {
      const started = performance.now();
      return [await work(), performance.now() - started];
    };
    /** Its store is known to be away: from here on nothing waits. */
    const away = () =>
      until(async () => {
        await there.search({ vector: [1, 0, 0, 0] });
        const store = bench.api.app.get(VectorStores, { strict: false }).find(name);
        return isAway(store);
      }, 30_000);
    /** Milliseconds that a refusal takes beyond what any answer takes on this machine now; the quickest of a few. */
    const extra = async (work: () => Promise<ApiAnswer>): Promise<number> => {
      let [usual, best] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      for (let n = 0; n < 20; n += 1) {
        const [{ status, headers }, milliseconds] = await timed(work);
        expect([status, Number(headers.get('retry-after')) > 0]).toEqual([503, true]);
        best = Math.min(best, milliseconds);
        usual = Math.min(usual, (await timed(() => there.post('get', { ids: ['kept'] })))[1]);
      }
      return best - usual;
    };
    /** Connections of before may be broken still: what was refused is sent again. */
    const written = (points: object[]) => until(async () => (await there.put(points)).status === 200, 20_000);
    const back = () => written([{ id: 'back', vector: [9, 9, 9, 9] }]);

    it('is down with the time since when, and nothing else, where it is absent at the start', async () => {
      await bench.proxy.put({ kind: 'refuse' });
      await bench.api.restart();
      expect((await bench.api.get('/readyz')).status).toBe(200);
      expect(await health()).toMatchObject({ name, status: 'down', since: expect.any(String) });
      const body = { name: 'early', store: name, dimensions: 4 };
      // The health check has found it away: nobody's request does.
      expect(await extra(() => bench.api.post('/api/v1/vectors/collections', body, bench.me.accessToken))).toBeLessThan(AT_ONCE_MS);
      expect((await bench.api.get('/api/v1/vectors/collections/early', bench.me.accessToken)).status).toBe(404);
      expect((await elsewhere.put([{ id: 'early', vector: [1, 2, 3, 4] }])).status).toBe(200);
      expect((await elsewhere.remove('early')).status).toBe(204);
      await bench.proxy.clear();
      await back();
      expect((await there.remove('back')).status).toBe(204);
      await bench.settled();
    });

    it('refuses at once while it is away, and other stores do not notice', async () => {
      await written([{ id: 'kept', vector: [1, 0, 0, 0] }]);
      await bench.settled();
      await elsewhere.put([{ id: 'kept', vector: [1, 0, 0, 0] }]);
      await bench.proxy.put({ kind: 'refuse' });
      await away();
      const before = await bench.ledger(there);
      for (const work of [
        () => there.search({ vector: [1, 0, 0, 0] }),
        () => there.put([{ id: 'refused', vector: [1, 1, 1, 1] }]),
        () => bench.api.post('/api/v1/vectors/collections', { name: 'more', store: name, dimensions: 4 }, bench.me.accessToken),
      ])
        expect(await extra(work)).toBeLessThan(AT_ONCE_MS);
      expect(await bench.ledger(there)).toEqual(before);
      expect(await elsewhere.found({ vector: [1, 0, 0, 0] })).toHaveLength(1);
      await until(async () => (await health()).status === 'down');
      // What needs no store goes on: words, reading, and deletions, of which the store hears later.
      expect((await there.post('get', { ids: ['kept'] })).status).toBe(200);
      expect((await there.remove('kept')).status).toBe(204);
      expect(await there.unheard()).toBe(1);
      await bench.proxy.clear();
      const since = performance.now();
      await back();
      expect(performance.now() - since).toBeLessThan(5_000);
      await bench.settled();
      expect(await bench.compared(there, stored(server))).toBe(1);
      await until(async () => (await health()).status === 'up');
    });

    it('loses no acknowledged write when it is killed under load, and is used again without a restart of ours', async () => {
      const load = bench.load(there, 'load');
      const untouched = bench.load(elsewhere, 'load');
      await until(async () => (await bench.ledger(there)).size > 20, 30_000);
      for (let round = 0; round < 2; round += 1) {
        await server.kill();
        await away();
        await server.restart();
        const up = performance.now();
        await until(async () => (await there.search({ vector: [1, 0, 0, 0] })).status === 200, 20_000);
        expect(performance.now() - up).toBeLessThan(5_000);
      }
      const { acknowledged, statuses } = await load.stop();
      expect([...(await untouched.stop()).statuses]).toEqual([200]);
      // Written before and after, refused meanwhile; a call that was under way at the kill may end at its deadline, and nothing else happens.
      expect(statuses).toContain(200);
      expect(statuses).toContain(503);
      for (const deadline of statuses) if (deadline !== 200 && deadline !== 503) expect(deadline).toBe(504);
      await bench.settled();
      expect(await bench.compared(there, stored(server))).toBeGreaterThan(acknowledged.size - 1);
      for (const [id, vector] of acknowledged) {
        const [found] = await there.found({ vector, limit: 1, exact: true });
        expect([id, found?.score]).toEqual([id, 0]);
      }
    });

    it.each([
      ['resets connections', { kind: 'reset' }],
      ['is silent', { kind: 'silent' }],
      ['cuts its answers', { kind: 'cut', bytes: 20 }],
    ] as const)('answers 503 or 504 while it %s, and then has what the ledger has', async (_, fault) => {
      await bench.proxy.put(fault);
      const write = await there.put([{ id: 'written', vector: [7, 7, 7, Math.random()] }]);
      expect([503, 504]).toContain(write.status);
      await away();
      await bench.proxy.clear();
      bench.proxy.resetAll();
      await back();
      await bench.settled();
      await bench.compared(there, stored(server));
    });

    it('is only slow when it is slow', async () => {
      await bench.proxy.put({ kind: 'slow', milliseconds: 300 });
      await written([{ id: 'slow', vector: [3, 3, 3, 3] }]);
      expect((await elsewhere.put([{ id: 'slow', vector: [3, 3, 3, 3] }])).status).toBe(200);
      expect((await there.found({ vector: [3, 3, 3, 3], limit: 1 }))[0]?.id).toBe('slow');
      await bench.proxy.clear();
    });

    it('hears after a long outage what was deleted meanwhile, after a restart of the API too', async () => {
      await written(Array.from({ length: 50 }, (_, n) => ({ id: `gone-${n}`, vector: [n, 1, 2, 3], metadata: { gone: true } })));
      await bench.settled();
      await bench.proxy.put({ kind: 'refuse' });
      expect((await there.post('delete', { filter: { gone: true } })).json).toEqual({ deleted: 50 });
      await bench.api.restart();
      expect((await there.post('count', { filter: { gone: true } })).json).toEqual({ count: 0 });
      expect(await there.unheard()).toBe(50);
      expect((await there.search({ vector: [1, 0, 0, 0] })).status).toBe(503);
      await bench.proxy.clear();
      await bench.settled();
      await bench.compared(there, stored(server));
    });
  });
}

function isAway(store: VectorStore | undefined): boolean {
  try {
    store?.assertReachable();
    return false;
  } catch {
    return true;
  }
}
