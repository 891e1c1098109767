import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
// Loading it takes seconds here, in which nothing else goes on: not in the middle of a test.
import 'neo4j-driver';
import { Neo4jClient } from '@backing/neo4j';
import { sql } from '@backing/postgres';
import { Graph, type FeedIdentity } from '@kernel/graph';
import { startApi, type Registered, type TestApi } from '../support/api';
import { newDatabase } from '../support/databases';
import { DocumentsOf } from '../support/documents';
import { FaultProxy } from '../support/fault-proxy';
import { LineageBench } from '../support/lineage';
import { describeModels } from '../support/models';
import { startServerOf, type TestServer } from '../support/services';

/** Several processes share a real database: without one the suite is shown as skipped, and fails with REQUIRE_SERVICES=1. */
const needed = process.env.TEST_DATABASE_URL !== undefined || process.env.REQUIRE_SERVICES === '1';
/** Tokens of one process are good for the other. */
const JWT_SECRET = randomBytes(32).toString('base64url');
const STARTED = 120_000;

jest.setTimeout(STARTED);

(needed ? describe : describe.skip)(needed ? 'Neo4j' : 'Neo4j: TEST_DATABASE_URL is not set', () => {
  let server: TestServer;
  let proxy: FaultProxy;
  let place: Awaited<ReturnType<typeof newDatabase>>;
  let apis: TestApi[] = [];
  let api: TestApi;
  let me: Registered;
  let bench: LineageBench;
  let collectionId: string;

  const open = async (env: Record<string, string> = {}): Promise<TestApi> => {
    const usual = { DATABASE_URL: place.url ?? '', RATE_LIMIT_PER_MINUTE: '1000000', JWT_SECRET };
    const started = await startApi({
      database: 'embedded',
      env: { ...usual, NEO4J_URL: `bolt://127.0.0.1:${proxy.port}`, ...server.credentials, ...env },
    });
    apis.push(started);
    return started;
  };
  const close = async (one: TestApi): Promise<void> => {
    apis = apis.filter((each) => each !== one);
    await one.close();
  };
  const state = async (of = api): Promise<Record<string, unknown>> => (await of.get('/api/v1/health/services/neo4j', me.accessToken)).json;
  const lineage = (id: string, of = api) => of.get(`/api/v1/documents/${id}/lineage`, me.accessToken);
  /** Milliseconds until it is so. */
  const until = async (what: string, check: () => Promise<boolean>, milliseconds = 30_000): Promise<number> => {
    const began = performance.now();
    while (!(await check())) {
      if (performance.now() - began > milliseconds) throw new Error(`${what}: not within ${milliseconds / 1_000} s.`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return performance.now() - began;
  };
  const untilUp = (of = api) => until('up', async () => (await state(of)).status === 'up');
  const untilDown = (of = api) => until('down', async () => (await state(of)).status === 'down');
  /** Refused at once: the milliseconds that it takes beyond reading the document itself, which comes first; the middle ones of many. */
  const refused = async (id: string, of = api): Promise<number> => {
    await until('refused', async () => (await lineage(id, of)).json.code === ('unavailable' as never));
    const [refusals, readings]: [number[], number[]] = [[], []];
    for (let n = 0; n < 15; n += 1) {
      const began = performance.now();
      const { status, headers, json } = await lineage(id, of);
      const between = performance.now();
      await of.get(`/api/v1/documents/${id}`, me.accessToken);
      refusals.push(between - began);
      readings.push(performance.now() - between);
      expect([status, json.code, headers.get('retry-after')]).toEqual([503, 'unavailable', '2']);
    }
    return middle(refusals) - middle(readings);
  };

  beforeAll(async () => {
    server = await startServerOf('neo4j', 'startNeo4j');
    proxy = await FaultProxy.before({ port: server.port });
    place = await newDatabase('postgres');
    // Nobody listens when the first process starts.
    await proxy.put({ kind: 'refuse' });
    api = await open();
    me = await api.register();
    bench = new LineageBench(api, me);
    collectionId = await bench.collection();
  }, STARTED);
  afterEach(() => proxy.clear());
  afterAll(async () => {
    for (const one of apis) await one.close();
    await proxy.close();
    await server.stop();
    await place.drop();
  }, STARTED);

  it('absent at the start: everything but lineage works, health says since when; found and filled once it is there', async () => {
    const id = await bench.document(collectionId, 3);
    expect((await api.get('/readyz')).status).toBe(200);
    await untilDown();
    expect(await state()).toMatchObject({ status: 'down', driver: 'neo4j', required: false, since: expect.any(String) });
    expect((await state()).error).toBe('Neo4j does not answer at NEO4J_URL.');
    expect(await refused(id)).toBeLessThan(50);
    expect((await api.get(`/api/v1/documents/${id}/chunks`, me.accessToken)).status).toBe(200);
    expect((await lineage('019b0000-0000-7000-8000-000000000000')).status).toBe(404);
    await proxy.clear();
    // Its first connection: what the driver loads for it takes seconds inside of jest. Coming back within five is shown below, and by `npm run faults:services`.
    expect(await untilUp()).toBeLessThan(10_000);
    await bench.copied();
    const { json } = await lineage(id);
    expect(json).toMatchObject({
      document: { id, version: 1, collection: 'default' },
      has_more: false,
      last_id: LineageBench.chunkId(id, 1, 2),
    });
    expect(await bench.differences()).toEqual([]);
  });

  it('a wrong password is named by its setting, without the password, and asked for seldom', async () => {
    const door = await FaultProxy.before({ port: server.port });
    const other = await open({ NEO4J_URL: `bolt://127.0.0.1:${door.port}`, NEO4J_PASSWORD: 'not-the-password' });
    await untilDown(other);
    await until('refused', async () => String((await state(other)).error).startsWith('Neo4j refuses'));
    expect((await state(other)).error).toBe('Neo4j refuses the user and the password that NEO4J_USER and NEO4J_PASSWORD name.');
    const before = door.connections;
    const id = await bench.document(collectionId, 1);
    expect(await refused(id, other)).toBeLessThan(50);
    expect(door.connections - before).toBeLessThanOrEqual(2);
    await close(other);
    await door.close();
    // The process with the right one is not locked out.
    expect((await state()).status).toBe('up');
  });

  describeModels('over the public API', () => {
    it('leads from a text to the answer that cited it, and to nothing once it is deleted', async () => {
      const mine = new DocumentsOf(api, me);
      const { id } = await mine.ready(
        await mine.upload('The keeper of the lighthouse feeds two goats. He repairs the fog horn every autumn.'),
      );
      const { json: session } = await api.post('/api/v1/chat/sessions', { collections: ['default'] }, me.accessToken);
      const messages = `/api/v1/chat/sessions/${String(session.id)}/messages?wait=50`;
      const asked = await api.post(messages, { content: 'How many goats does the keeper feed?' }, me.accessToken);
      const { answer } = asked.json as unknown as { answer: { id: string; citations: { chunk_id: string; document_id: string }[] } };
      expect(answer.citations.map(({ document_id }) => document_id)).toContain(id);
      await bench.copied();
      const { data } = (await lineage(id)).json as unknown as { data: { id: string; current: boolean; answers: { id: string }[] }[] };
      const cited = data.filter(({ answers }) => answers.some((each) => each.id === answer.id));
      expect(cited.map((chunk) => chunk.id).sort()).toEqual(
        [...new Set(answer.citations.filter(({ document_id }) => document_id === id).map(({ chunk_id }) => chunk_id))].sort(),
      );
      expect(cited.every(({ current }) => current)).toBe(true);
      expect((await api.delete(`/api/v1/documents/${id}`, me.accessToken)).status).toBe(204);
      expect((await lineage(id)).status).toBe(404);
      await bench.copied();
      expect(await bench.run('MATCH (n) WHERE n.id = $id AND NOT n:Gone OR n.document_id = $id RETURN n', { id })).toEqual([]);
      expect(await bench.differences()).toEqual([]);
    });
  });

  it('killed and started again under writes: nothing is lost, nothing else notices, and it is up again by itself', async () => {
    const second = await open();
    const traffic = new Writes(bench, collectionId, [api, second], me);
    traffic.start();
    await until('writes', async () => traffic.written > 4);
    await server.kill();
    await untilDown();
    const during = traffic.written;
    await until('writes', async () => traffic.written > during + 4);
    await server.restart();
    const back = await untilUp();
    const after = traffic.written;
    await until('writes', async () => traffic.written > after + 4);
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
    expect(back).toBeLessThan(5_000);
    await bench.copied(60_000);
    expect(await bench.differences()).toEqual([]);
    await close(second);
  });

  it('stopped in its tracks: refused at once after a while, and up again by itself when it goes on', async () => {
    const id = await bench.document(collectionId, 2);
    await bench.copied();
    server.pause();
    await untilDown();
    await bench.document(collectionId, 2);
    expect(await refused(id)).toBeLessThan(50);
    expect((await api.get(`/api/v1/documents/${id}`, me.accessToken)).status).toBe(200);
    server.resume();
    expect(await untilUp()).toBeLessThan(5_000);
    await bench.copied();
    expect((await lineage(id)).status).toBe(200);
    expect(await bench.differences()).toEqual([]);
  });

  it.each([{ kind: 'silent' } as const, { kind: 'reset' } as const, { kind: 'cut', bytes: 40 } as const])(
    'a network that is $kind: up again on new connections',
    async (fault) => {
      await bench.copied();
      await proxy.put(fault);
      const id = await bench.document(collectionId, 2);
      await untilDown();
      expect(await refused(id)).toBeLessThan(50);
      await proxy.clear();
      expect(await untilUp()).toBeLessThan(5_000);
      await bench.copied();
      expect(await bench.differences()).toEqual([]);
    },
  );

  it('slow: late answers are answers', async () => {
    const id = await bench.document(collectionId, 2);
    await bench.copied();
    await proxy.put({ kind: 'slow', milliseconds: 80 });
    const { status, json } = await lineage(id);
    expect([status, json.last_id]).toEqual([200, LineageBench.chunkId(id, 1, 1)]);
  });

  it('a long outage: what was deleted meanwhile is gone, what was made is there, and changes wait once for each thing', async () => {
    const gone = await bench.document(collectionId, 3);
    const stays = await bench.document(collectionId, 3);
    const session = await bench.session(me.userId, 'private');
    const both = [gone, stays].map((documentId) => ({ documentId, version: 1, ordinal: 1 }));
    const answer = await bench.answer(session, both);
    await bench.copied();
    await proxy.put({ kind: 'refuse' });
    await untilDown();
    expect((await api.delete(`/api/v1/documents/${gone}`, me.accessToken)).status).toBe(204);
    const made = await bench.document(collectionId, 3);
    for (let version = 2; version < 30; version += 1) await bench.show(stays, collectionId, version, 3);
    const waiting = await bench.ledger.query<{ id: string }>(sql`SELECT id FROM graph_changes`);
    expect(waiting.map(({ id }) => id).sort()).toEqual([gone, stays, made, answer].sort());
    await proxy.clear();
    await untilUp();
    await bench.copied();
    expect(await bench.differences()).toEqual([]);
    expect(await bench.run('MATCH (n) WHERE n.id = $gone AND NOT n:Gone OR n.document_id = $gone RETURN n', { gone })).toEqual([]);
    const { json } = await lineage(stays);
    expect(json.document).toMatchObject({ version: 29 });
    expect(json.data).toHaveLength(4);
  });

  it('a change that comes late brings nothing back', async () => {
    const [feed] = await bench.ledger.query<FeedIdentity>(sql`SELECT ledger, fill FROM graph_feed`);
    const { copy } = api.app.get(Graph, { strict: false });
    if (feed === undefined || copy === null) throw new Error('There is no copy.');
    const id = await bench.document(collectionId, 2);
    const session = await bench.session(me.userId, 'private');
    const answer = await bench.answer(session, [{ documentId: id, version: 1, ordinal: 0 }]);
    await bench.copied();
    // What a process read, and was stopped before it told.
    const chunkId = LineageBench.chunkId(id, 1, 0);
    const place = { documentId: id, page: 1, start: 0, end: 90 };
    const document = { id, seq: 1, workspaceId: me.workspaceId, collectionId, name: 'late', version: 1 };
    const late = {
      collections: [],
      documents: [document],
      chunks: [{ ...place, id: chunkId, version: 1, seq: 1 }],
      sessions: [],
      answers: [{ id: answer, seq: 1, sessionId: session, createdAt: new Date(), citations: [{ ...place, index: 1, chunkId }] }],
      gone: [],
    };
    await bench.show(id, collectionId, 2, 2);
    await bench.copied();
    await copy.apply(feed, late);
    expect(await bench.differences()).toEqual([]);
    expect((await api.delete(`/api/v1/documents/${id}`, me.accessToken)).status).toBe(204);
    await bench.copied();
    await copy.apply(feed, late);
    expect(await bench.differences()).toEqual([]);
    await expect(copy.apply({ ...feed, fill: '019b0000-0000-7000-8000-000000000000' }, late)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('a server that lost what it had is filled again', async () => {
    const id = await bench.document(collectionId, 2);
    await bench.copied();
    await server.kill();
    for (const part of ['databases', 'transactions'])
      await rm(join(server.directory, 'data', part, 'neo4j'), { recursive: true, force: true });
    await server.restart();
    await untilUp();
    await until('filled', async () => (await lineage(id)).status === 200, 60_000);
    await bench.copied();
    expect(await bench.differences()).toEqual([]);
  });

  it('set later: nothing is noted before, and all of it is copied then', async () => {
    await close(api);
    const without = await startApi({ database: 'postgres', env: { RATE_LIMIT_PER_MINUTE: '1000000' } });
    apis.push(without);
    const person = await without.register();
    const later = new LineageBench(without, person);
    const id = await later.document(await later.collection(), 2);
    const session = await later.session(person.userId, 'private');
    await later.answer(session, [{ documentId: id, version: 1, ordinal: 1 }]);
    const path = `/api/v1/documents/${id}/lineage`;
    const before = await without.get(path, person.accessToken);
    expect([before.status, (before.json.data as unknown as object[]).length]).toEqual([200, 2]);
    expect(await later.ledger.query(sql`SELECT id FROM graph_changes`)).toEqual([]);
    expect(without.app.get(Neo4jClient, { strict: false }).configured).toBe(false);
    await without.restart({ NEO4J_URL: server.url, ...server.credentials });
    const after = new LineageBench(without, person);
    await after.copied();
    expect(await after.differences()).toEqual([]);
    expect((await without.get(path, person.accessToken)).json).toEqual(before.json);
  });
});

function middle(of: number[]): number {
  return of.sort((a, b) => a - b)[Math.floor(of.length / 2)] ?? Number.NaN;
}

/** Documents and answers made, replaced and deleted without a pause, and other routes asked meanwhile; whatever fails is kept. */
class Writes {
  written = 0;
  readonly failures: string[] = [];
  private running: Promise<void>[] = [];
  private stopped = false;

  constructor(
    private readonly bench: LineageBench,
    private readonly collectionId: string,
    private readonly apis: TestApi[],
    private readonly person: Registered,
  ) {}

  start(): void {
    for (const api of this.apis) this.running.push(this.repeat(() => this.write(api)));
    this.running.push(this.repeat(() => this.ask()));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.running);
  }

  private async repeat(work: () => Promise<void>): Promise<void> {
    while (!this.stopped) await work().catch((error: unknown) => this.failures.push(String(error)));
  }

  private async write(api: TestApi): Promise<void> {
    const { bench, collectionId } = this;
    const [one, two] = [await bench.document(collectionId, 3), await bench.document(collectionId, 2)];
    const session = await bench.session(this.person.userId, 'private');
    const cited = [one, two].map((documentId) => ({ documentId, version: 1, ordinal: 1 }));
    await bench.answer(session, cited);
    await bench.show(two, collectionId, 2, 4);
    const { status, text } = await api.delete(`/api/v1/documents/${one}`, this.person.accessToken);
    if (status !== 204) throw new Error(`Deleting answered ${status}: ${text}`);
    this.written += 1;
  }

  private async ask(): Promise<void> {
    for (const path of ['/api/v1/documents', '/api/v1/chat/sessions', '/api/v1/jobs', '/readyz']) {
      const { status, text } = await (this.apis[0] as TestApi).get(path, this.person.accessToken);
      if (status !== 200) throw new Error(`${path} answered ${status}: ${text}`);
    }
  }
}
