import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredVector } from '@kernel/vectors';
import {
  expectThere,
  faissBinding,
  faissStore,
  nearest,
  numbersFrom,
  type OwnStore,
  pointsOf,
  spaceOf,
  until,
  up,
  type WriteLoad,
  writing,
} from '../support/faiss';
import { FaultProxy } from '../support/fault-proxy';
import { startServerOf, type TestServer } from '../support/services';
import { onSmallDisk, smallDisk } from '../support/small-disk';

const collectionId = (): string => randomUUID();
const [LEFT, RIGHT, OTHER] = [collectionId(), collectionId(), collectionId()];
const repository = join(__dirname, '..', '..');
const PROGRAM = join(repository, 'dist', 'apps', 'faiss', 'src', 'main.js');

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'sutazai-faiss-'));
  folders.push(made);
  return made;
}
const place = folder();
const disk = smallDisk(place, 2_097_152);
afterAll(() => {
  disk?.remove();
  for (const each of folders) rmSync(each, { recursive: true, force: true });
});

describe('the FAISS service', () => {
  let server: TestServer;
  let own: OwnStore;

  beforeAll(async () => {
    server = await startServerOf('faiss', 'startFaiss', { directory: folder() });
    own = faissStore({ FAISS_URL: server.url });
  });
  afterAll(async () => {
    await own?.close();
    await server?.stop();
  });

  it.each(['cosine', 'dot', 'l2'] as const)('finds the true neighbours by %s, whatever was replaced and deleted', async (metric) => {
    const { store } = own;
    const space = spaceOf(metric, 24);
    const next = numbersFrom(7);
    const points = new Map(pointsOf(2_500, 24, [LEFT, RIGHT, OTHER], next).map((point) => [point.physicalId, point]));
    await store.ensureSpace(space);
    await store.ensureSpace(space);
    await store.upsert(space, [...points.values()]);
    const check = async () => {
      for (const chosen of [[LEFT], [LEFT, OTHER, LEFT], [RIGHT, randomUUID()]]) {
        const query = Float32Array.from({ length: 24 }, next);
        const among = [...points.values()].filter(({ collectionId }) => chosen.includes(collectionId));
        const wanted = nearest(among, metric, query, 30);
        const found = await store.search(space, chosen, query, 30);
        expect(found.map(({ physicalId }) => physicalId)).toEqual(wanted.map(({ physicalId }) => physicalId));
        found.forEach(({ score }, at) => expect(score).toBeCloseTo(wanted[at]!.score, 5));
      }
      for (const collection of [LEFT, RIGHT, OTHER]) {
        const count = [...points.values()].filter(({ collectionId }) => collectionId === collection).length;
        expect(await store.count(space, collection)).toBe(count);
      }
    };
    await check();
    const ids = [...points.keys()];
    const replaced = ids.slice(0, 300).map((physicalId) => ({
      physicalId,
      collectionId: RIGHT,
      vector: Float32Array.from({ length: 24 }, next),
    }));
    for (const point of replaced) points.set(point.physicalId, point);
    await store.upsert(space, replaced);
    await check();
    const doomed = ids.slice(200, 1_800);
    doomed.forEach((id) => points.delete(id));
    await store.delete(space, [...doomed, randomUUID()]);
    await check();
    await server.restart();
    await up(own);
    await check();
  });

  it('ranks numbers at the ends of float32 and answers for collections without points', async () => {
    const space = spaceOf('l2', 2);
    const far = { physicalId: randomUUID(), collectionId: LEFT, vector: Float32Array.of(3e38, -3e38) };
    const near = { physicalId: randomUUID(), collectionId: LEFT, vector: Float32Array.of(1e-30, 0) };
    await own.store.ensureSpace(space);
    await own.store.upsert(space, [far, near]);
    const found = await own.store.search(space, [LEFT], Float32Array.of(-3e38, 3e38), 5);
    expect(found.map(({ physicalId }) => physicalId)).toEqual([near.physicalId, far.physicalId]);
    expect(await own.store.search(space, [RIGHT], far.vector, 5)).toEqual([]);
    expect(await own.store.search(space, [], far.vector, 5)).toEqual([]);
    expect(await own.store.count(space, RIGHT)).toBe(0);
  });

  it('answers what would end the process with a fault, and goes on', async () => {
    const space = spaceOf('cosine', 3);
    await own.store.ensureSpace(space);
    const id = randomUUID();
    const path = `/indexes/${space.physicalName}`;
    const send = async (to: string, body: unknown, headers: Record<string, string> = {}) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const answer = await fetch(server.url + to, {
        method: 'POST',
        body: text,
        headers: { 'content-type': 'application/json', ...headers },
      });
      return `${answer.status} ${((await answer.json()) as { error?: { code?: string } }).error?.code ?? ''}`.trim();
    };
    const { pid } = server;
    const upsert = { ids: [id], collections: [LEFT] };
    const search = { collections: [LEFT], vector: [1, 2, 3], limit: 1 };
    expect(await send(`${path}/upsert`, { ...upsert, vectors: [[1, 2, 3]] })).toBe('200');
    expect(await send(`${path}/search`, search)).toBe('200');
    expect(await send(`${path}/search`, { ...search, limit: 0 })).toBe('400 invalid');
    expect(await send(`${path}/search`, { ...search, limit: 10_001 })).toBe('400 invalid');
    expect(await send(`${path}/search`, { ...search, vector: [1, 2] })).toBe('422 unprocessable');
    expect(await send(`${path}/search`, { ...search, vector: [0, 0, 0] })).toBe('422 unprocessable');
    expect(await send(`${path}/search`, { ...search, vector: [1, 2, 1e39] })).toBe('422 unprocessable');
    expect(await send(`${path}/search`, { ...search, vector: ['1', 2, 3] })).toBe('400 invalid');
    expect(await send(`${path}/upsert`, { ...upsert, vectors: [] })).toBe('422 unprocessable');
    expect(await send(`${path}/upsert`, { ids: ['1'], collections: [LEFT], vectors: [[1, 2, 3]] })).toBe('400 invalid');
    expect(await send(`${path}/upsert`, 'x', { 'content-type': 'application/octet-stream' })).toBe('400 invalid');
    expect(await send(`${path}/upsert`, '{')).toBe('400 invalid');
    expect(await send(`${path}/other`, {})).toBe('404 not_found');
    expect(await send('/indexes/..%2fx/search', search)).toBe('400 invalid');
    expect(await send('/indexes/nothing/search', search)).toBe('404 not_found');
    expect(await send(`${path}/search`, search, { origin: 'http://evil.example' })).toBe('403 forbidden');
    await expect(own.store.ensureSpace({ ...space, dimensions: 4 })).rejects.toMatchObject({ code: 'unavailable', retryable: false });
    await expect(own.store.ensureSpace(spaceOf('l2', 4_097))).rejects.toMatchObject({ code: 'invalid' });
    await expect(own.store.search(spaceOf('l2', 3), [LEFT], new Float32Array(3), 1)).rejects.toMatchObject({ code: 'unavailable' });
    expect(server.pid).toBe(pid);
    expect((await own.store.search(space, [LEFT], Float32Array.of(1, 2, 3), 1))[0]).toEqual({
      physicalId: id,
      score: expect.closeTo(1, 6),
    });
  });

  it('loses nothing that it acknowledged to kill -9 while it writes', async () => {
    const space = spaceOf('dot', 32);
    await own.store.ensureSpace(space);
    const load: WriteLoad = { going: true, acknowledged: { kept: [], gone: [] } };
    const writers = [1, 2, 3].map(() => writing(own, space, LEFT, load));
    for (let round = 1; round <= 5; round += 1) {
      const enough = load.acknowledged.gone.length + 10 * round;
      await until(() => load.acknowledged.gone.length >= enough);
      await server.kill();
      await server.restart();
    }
    load.going = false;
    await Promise.all(writers);
    await up(own);
    await expectThere(own.store, space, LEFT, load.acknowledged);
  });

  it('drops what was half written when it died, and nothing before it', async () => {
    const space = spaceOf('cosine', 16);
    const next = numbersFrom(3);
    const [first, second] = [pointsOf(5, 16, [LEFT], next), pointsOf(5, 16, [LEFT], next)];
    await own.store.ensureSpace(space);
    await own.store.upsert(space, first);
    const log = join(server.directory, 'data', 'indexes', space.physicalName, 'log-0');
    const whole = statSync(log).size;
    await own.store.upsert(space, second);
    await server.kill();
    truncateSync(log, statSync(log).size - 1);
    await server.restart();
    await up(own);
    expect(await own.store.count(space, LEFT)).toBe(5);
    expect(statSync(log).size).toBe(whole);
    await own.store.upsert(space, second);
    await server.kill();
    const bytes = readFileSync(log);
    bytes[whole + 40]! ^= 1;
    writeFileSync(log, bytes);
    await server.restart();
    await up(own);
    expect(await own.store.count(space, LEFT)).toBe(5);
    await own.store.upsert(space, second);
    await server.kill();
    appendFileSync(log, Buffer.alloc(4_096, 7));
    await server.restart();
    await up(own);
    await expectThere(own.store, space, LEFT, { kept: [...first, ...second], gone: [] });
  });

  it('serves several processes of the platform at once', async () => {
    const another = faissStore({ FAISS_URL: server.url });
    try {
      const space = spaceOf('l2', 8);
      const next = numbersFrom(11);
      await Promise.all([own, another].map(({ store }) => store.ensureSpace(space)));
      const written = await Promise.all(
        [own, another].flatMap(({ store }) =>
          [1, 2, 3, 4].map(async () => {
            const points = pointsOf(50, 8, [LEFT], next);
            await store.upsert(space, points);
            return points;
          }),
        ),
      );
      for (const each of [own, another]) {
        expect(await each.store.count(space, LEFT)).toBe(400);
        await expectThere(each.store, space, LEFT, { kept: written.flat(), gone: [] });
      }
    } finally {
      await another.close();
    }
  });

  it('shows its figures on a port of its own', async () => {
    const { metricsPort } = server as TestServer & { metricsPort: number };
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(Number(/^sutazai_faiss_vectors (\d+)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(400);
    for (const path of ['/livez', '/readyz'])
      for (const origin of [server.url, `http://127.0.0.1:${metricsPort}`]) expect((await fetch(origin + path)).status).toBe(200);
  });

  it('is not waited for when it is silent, and found again when it answers', async () => {
    const { proxy, url } = await FaultProxy.beforeUrl(server.url);
    const through = faissStore({ FAISS_URL: url });
    try {
      const space = spaceOf('dot', 4);
      const point = { physicalId: randomUUID(), collectionId: LEFT, vector: Float32Array.of(1, 0, 0, 0) };
      await through.store.ensureSpace(space);
      await through.store.upsert(space, [point]);
      const ask = () => through.store.search(space, [LEFT], point.vector, 1);
      await proxy.put({ kind: 'reset' });
      await expect(ask()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
      await proxy.put({ kind: 'silent' });
      proxy.resetAll();
      const asked = performance.now();
      await Promise.all([1, 2, 3].map(() => expect(ask()).rejects.toMatchObject({ code: 'timeout' })));
      expect(performance.now() - asked).toBeLessThan(6_000);
      const refused = performance.now();
      await expect(ask()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
      expect(performance.now() - refused).toBeLessThan(50);
      await proxy.clear();
      proxy.resetAll();
      await up(through);
      expect((await ask())[0]?.physicalId).toBe(point.physicalId);
    } finally {
      await through.close();
      await proxy.close();
    }
  });
});

describe('the child of the single process', () => {
  const space = spaceOf('cosine', 48);
  const points = pointsOf(400, 48, [LEFT], numbersFrom(5));
  let directory: string;
  let own: OwnStore;

  beforeAll(async () => {
    directory = folder();
    own = faissStore({ DATA_DIR: directory, FAISS_BINDING: await abortingBinding(directory) });
  });
  afterAll(() => own?.close());

  it('is not there before it is needed, and up all the same', async () => {
    expect(own.client.configured).toBe(true);
    await own.client.ping(AbortSignal.timeout(1_000));
    expect(own.client.childPid).toBeUndefined();
    await own.store.ensureSpace(space);
    await own.store.upsert(space, points);
    expect(own.client.childPid).toEqual(expect.any(Number));
    expect(statSync(join(directory, 'faiss', 'socket')).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['killed', () => void process.kill(own.client.childPid ?? 0, 'SIGKILL')],
    // What faiss-node does when a search goes wrong inside it.
    ['aborted by FAISS itself', () => writeFileSync(join(directory, 'abort'), '')],
  ])('costs no call an error when it is %s under load', async (_, crash) => {
    let [answers, going] = [0, true];
    const errors: unknown[] = [];
    const pids = new Set<number | undefined>();
    const load = [0, 1, 2, 3].map(async (worker) => {
      for (let at = worker; going && errors.length < 20; at += 4) {
        const point = points[at % points.length]!;
        try {
          if (at % 3 === 0) await own.store.upsert(space, [point]);
          const [hit] = await own.store.search(space, [LEFT], point.vector, 1);
          expect(hit?.physicalId).toBe(point.physicalId);
          answers += 1;
        } catch (error) {
          errors.push(error);
          await new Promise(setImmediate);
        }
      }
    });
    for (let round = 0; round < 3; round += 1) {
      const before = own.client.childPid;
      pids.add(before);
      crash();
      await until(() => own.client.childPid !== undefined && own.client.childPid !== before);
      const served = answers;
      await until(() => answers > served + 40 || errors.length > 0);
    }
    going = false;
    await Promise.all(load);
    expect(errors).toEqual([]);
    expect(pids.size).toBe(3);
    expect(await own.store.count(space, LEFT)).toBe(400);
  });

  it('ends with its parent, whatever happened to that', async () => {
    const library = JSON.stringify(join(repository, 'dist', 'libs', 'backing', 'faiss', 'index.js'));
    const kernel = JSON.stringify(join(repository, 'dist', 'libs', 'kernel', 'config', 'index.js'));
    const script = `const { FaissClient } = require(${library}); const { parseConfig } = require(${kernel});
      const client = new FaissClient(parseConfig(process.env));
      client.call({ method: 'GET', path: '/readyz' }).then(() => console.log(client.childPid)); setInterval(() => {}, 1000);`;
    const env = { PATH: process.env.PATH, DATA_DIR: folder(), FAISS_BINDING: await faissBinding(), LOG_LEVEL: 'silent' };
    const parent = spawn(process.execPath, ['-e', script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (bytes: Buffer) => resolve(Number(bytes.toString()))));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isAlive(pid));
  });

  it('ends in order with the application', async () => {
    const pid = own.client.childPid ?? 0;
    await own.close();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(join(directory, 'faiss', 'lock'))).toBe(false);
    await expect(own.store.count(space, LEFT)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('where FAISS cannot run', () => {
  const space = spaceOf('dot', 2);

  it.each([
    ['a missing native part', { FAISS_BINDING: join(tmpdir(), 'sutazai-no-such.node') }, /is missing: run `npm run faiss:build`/],
    ['one that is switched off', { FAISS_BINDING: 'off' }, /is switched off.*npm run faiss:build.*FAISS_URL/],
    ['one that cannot be loaded', { FAISS_BINDING: join(repository, 'package.json') }, /cannot be loaded.*npm run faiss:build/],
  ])('says what to do about %s', async (_, settings, sentence) => {
    const env: Record<string, string> = settings;
    const own = faissStore({ DATA_DIR: folder(), ...env });
    try {
      await expect(own.store.ensureSpace(space)).rejects.toMatchObject({ code: 'unavailable', message: expect.stringMatching(sentence) });
    } finally {
      await own.close();
    }
    const service = spawnSync(process.execPath, [PROGRAM], {
      env: { PATH: process.env.PATH, DATA_DIR: folder(), PORT: '0', METRICS_PORT: '0', ...env },
      encoding: 'utf8',
    });
    expect(service.status).toBe(78);
    expect(service.stderr).toMatch(/npm run faiss:build/);
    expect(service.stderr.trim().split('\n')).toHaveLength(1);
  });

  it('refuses at once while nobody listens at FAISS_URL', async () => {
    const own = faissStore({ FAISS_URL: 'http://127.0.0.1:9' });
    try {
      await own.store.ensureSpace(space).catch(() => undefined);
      const asked = performance.now();
      await expect(own.store.ensureSpace(space)).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
      expect(performance.now() - asked).toBeLessThan(50);
    } finally {
      await own.close();
    }
  });
});

describe('a full disk', () => {
  onSmallDisk(disk !== undefined)('refuses what does not fit, keeps what did, and goes on where there is room again', async () => {
    const server = await startServerOf('faiss', 'startFaiss', { directory: place });
    const own = faissStore({ FAISS_URL: server.url });
    try {
      const space = spaceOf('cosine', 64);
      const next = numbersFrom(9);
      await own.store.ensureSpace(space);
      const filler = join(place, 'filler');
      writeFileSync(filler, Buffer.alloc(1_048_576));
      const kept: StoredVector[] = [];
      const fill = async () => {
        for (;;) {
          const batch = pointsOf(100, 64, [LEFT], next);
          await own.store.upsert(space, batch);
          kept.push(...batch);
        }
      };
      await expect(fill()).rejects.toMatchObject({ code: 'storage_full' });
      expect(kept.length).toBeGreaterThan(500);
      await expectThere(own.store, space, LEFT, { kept, gone: [] });
      expect(await own.store.count(space, LEFT)).toBe(kept.length);
      rmSync(filler);
      const more = pointsOf(100, 64, [LEFT], next);
      await own.store.upsert(space, more);
      await server.kill();
      await server.restart();
      await up(own);
      expect(await own.store.count(space, LEFT)).toBe(kept.length + 100);
      await expectThere(own.store, space, LEFT, { kept: [...kept, ...more], gone: [] });
    } finally {
      await own.close();
      await server.stop();
    }
  });
});

/** The real native part, which FAISS brings to an abort (an exception in a search for nothing) when the file `abort` appears. */
async function abortingBinding(directory: string): Promise<string> {
  const path = join(directory, 'binding.cjs');
  const [real, trigger] = [JSON.stringify(await faissBinding()), JSON.stringify(join(directory, 'abort'))];
  writeFileSync(
    path,
    `const fs = require('node:fs');
     const faiss = require(${real});
     class IndexFlatIP extends faiss.IndexFlatIP {
       search(query, most) {
         if (!fs.existsSync(${trigger})) return super.search(query, most);
         fs.rmSync(${trigger});
         return super.search(query, 0);
       }
     }
     module.exports = { ...faiss, IndexFlatIP };`,
  );
  return path;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
