import { setTimeout as delay } from 'node:timers/promises';
import type { ChatChunk } from '@kernel/models';
import { startApi, type ApiAnswer, type Registered, type TestApi } from '../support/api';
import {
  copyModel,
  describeOllama,
  openOllama,
  OLLAMA_CHAT,
  OLLAMA_EMBEDDING,
  startOwnOllama,
  type OllamaRig,
  type OwnOllama,
} from '../support/ollama';
import { startServerOf, type TestServer } from '../support/services';

const never = new AbortController().signal;
/** Two servers that load models on one busy core. */
const SLOW = 180_000;
/** Names that no built-in model has. */
const CHAT = 'starter:fleet';
const EMBEDDING = 'minilm:fleet';

/** The figures of the contract are said aloud, each with its bound. */
function within(what: string, since: number, bound: number): void {
  const milliseconds = performance.now() - since;
  process.stdout.write(`${what}: ${milliseconds.toFixed(0)} ms (at most ${bound})\n`);
  expect(milliseconds).toBeLessThanOrEqual(bound);
}

async function until(met: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 30_000; !(await met()); await delay(20))
    if (performance.now() > deadline) throw new Error('It never came about.');
}

describeOllama('a fleet of real Ollama servers', () => {
  let servers: [OwnOllama, OwnOllama];

  beforeAll(async () => {
    servers = await Promise.all([startOwnOllama(), startOwnOllama()]);
    for (const { url } of servers) {
      await copyModel(url, OLLAMA_CHAT, CHAT);
      await copyModel(url, OLLAMA_EMBEDDING, EMBEDDING);
    }
  }, SLOW);
  afterAll(async () => {
    for (const server of servers) await server.stop();
  });

  describe('in the runtime', () => {
    let rig: OllamaRig;
    beforeAll(() => {
      rig = openOllama(servers.map(({ url }) => url));
    });
    afterAll(() => rig.client.onApplicationShutdown());

    /** A few tokens of a prompt, so that a slow machine has soon read them. */
    const answer = (maxTokens: number): AsyncIterator<ChatChunk> =>
      rig.runtime.complete({ model: CHAT, prompt: 'The harbour', maxTokens, temperature: 0, signal: never })[Symbol.asyncIterator]();
    const rest = async (chunks: AsyncIterator<ChatChunk>): Promise<ChatChunk | undefined> => {
      for (let last: ChatChunk | undefined; ; ) {
        const step = await chunks.next();
        if (step.done === true) return last;
        last = step.value;
      }
    };
    const calls = async (): Promise<number[]> => (await rig.client.servers()).map((server) => server.calls);

    it(
      'the least busy one answers; killed under load, it loses no call that had no token yet, and the answer that had begun fails honestly',
      async () => {
        // In the memory of both: else the second call would rather wait for the one that has it there.
        for (const { url } of servers) {
          const one = openOllama(url);
          await one.runtime.load(CHAT, never);
          await one.client.onApplicationShutdown();
        }
        const long = answer(1_000);
        await long.next();
        const victim = (await calls()).indexOf(1);
        const other = answer(4);
        await other.next();
        expect(await calls()).toEqual([1, 1]);
        const embeds = rig.runtime.embed({ model: EMBEDDING, texts: Array.from({ length: 10 }, String), input: 'document', signal: never });
        const load = Promise.allSettled([rest(other), rest(answer(3)), rest(answer(3)), rest(answer(3)), rest(answer(3)), embeds]);
        await until(async () => ((await calls())[victim] ?? 0) >= 2);
        const waiting = ((await calls())[victim] ?? 0) - 1;
        const broken = expect(rest(long)).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('broke off') });
        await servers[victim]?.kill();
        await broken;
        const failed = (await load).filter(({ status }) => status === 'rejected');
        process.stdout.write(`calls without a token that failed: ${failed.length}, of ${waiting} on the server that was killed\n`);
        expect(failed).toEqual([]);
        expect(await calls()).toEqual([0, 0]);
        expect(await rig.runtime.models()).toEqual(expect.arrayContaining([expect.objectContaining({ id: CHAT, state: 'ready' })]));
        await servers[victim]?.restart();
        await until(() => rig.runtime.reachable());
      },
      SLOW,
    );
  });

  describe('over the API', () => {
    let consul: TestServer;
    let api: TestApi;
    let person: Registered;
    beforeAll(async () => {
      consul = await startServerOf('consul', 'startConsul');
      api = await startApi({ database: 'embedded', env: { OLLAMA_URL: servers.map(({ url }) => url).join(',') } });
      person = await api.register();
    }, SLOW);
    afterAll(async () => {
      await api.close();
      await consul.stop();
    });
    const ask = (): Promise<ApiAnswer> =>
      api.post('/v1/completions', { model: CHAT, max_tokens: 2, prompt: 'The harbour' }, person.accessToken);
    const state = async (): Promise<unknown> => (await api.get(`/api/v1/models/${CHAT}`, person.accessToken)).json.state;
    const health = async (): Promise<unknown> => (await api.get('/api/v1/health/services/ollama', person.accessToken)).json.status;

    it(
      'one away: degraded, and answered by the other; both away: 503 at once; back without a restart',
      async () => {
        const [one, two] = servers;
        expect([await health(), (await ask()).status]).toEqual(['up', 200]);
        await one.kill();
        expect((await ask()).status).toBe(200);
        await until(async () => (await health()) === 'degraded');
        await two.kill();
        await until(async () => (await health()) === 'down');
        const refused = await ask();
        // Nobody waits for what is away; the quickest of ten says so on a machine that does much else.
        const times: number[] = [];
        for (let asked = 0; asked < 10; asked += 1) {
          const since = performance.now();
          expect((await ask()).status).toBe(503);
          times.push(performance.now() - since);
        }
        process.stdout.write(`503 while all are away: ${times.map((time) => time.toFixed(0)).join(', ')} ms (at most 50)\n`);
        expect(Math.min(...times)).toBeLessThanOrEqual(50);
        expect([refused.status, refused.json.code ?? refused.json.error]).toEqual([503, expect.anything()]);
        expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
        expect((await api.get('/readyz')).status).toBe(200);
        expect(await state()).toBe('unknown');
        await one.restart();
        const back = performance.now();
        await until(async () => (await state()) === 'ready');
        within('back after a restart of one', back, 5_000);
        expect((await ask()).status).toBe(200);
        await two.restart();
      },
      SLOW,
    );

    it(
      'with OLLAMA_URL=consul://ollama it follows the servers that Consul knows',
      async () => {
        const put = (path: string, body?: object): Promise<Response> =>
          fetch(`${consul.url}/v1/agent/${path}`, { method: 'PUT', body: body === undefined ? undefined : JSON.stringify(body) });
        const enter = (at: 0 | 1): Promise<Response> => {
          const port = Number(new URL(servers[at].url).port);
          return put('service/register', {
            Name: 'ollama',
            ID: `ollama-${at}`,
            Address: '127.0.0.1',
            Port: port,
            Check: { TTL: '60s', Status: 'passing' },
          });
        };
        await api.restart({ OLLAMA_URL: 'consul://ollama', CONSUL_URL: consul.url });
        expect([await health(), await state()]).toEqual(['down', undefined]);
        await enter(0);
        let since = performance.now();
        await until(async () => (await state()) === 'ready');
        within('a server that came is used', since, 2_000);
        expect((await ask()).status).toBe(200);
        await enter(1);
        await put('check/fail/service:ollama-0');
        await servers[0].kill();
        expect((await ask()).status).toBe(200);
        await consul.kill();
        expect((await ask()).status).toBe(200);
        await consul.restart();
        await enter(1);
        await until(async () => (await state()) === 'ready');
        await put('service/deregister/ollama-1');
        since = performance.now();
        await until(async () => (await state()) === 'unknown');
        within('a server that went is used no more', since, 2_000);
      },
      SLOW,
    );
  });
});
