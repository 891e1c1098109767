import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Client } from 'pg';
import { newDatabase } from '../support/databases';
import { describeModels, embeddingFile } from '../support/models';
import { OllamaDouble } from '../support/ollama-double';
import { startServerOf, type TestServer } from '../support/services';
import { until } from '../support/until';

const tell = (line: string): boolean => process.stdout.write(`${line}\n`);
const MODEL = 'writer:double';
const PIECES = 40;
/** Lease 15 s, a poll of the sweep, the relay and the broker. */
const TAKEOVER_MS = 20_000;

/** An app of the built product: see support/server.mjs. */
interface OurProcess {
  readonly url: string;
  readonly child: { pid: number };
  start(): Promise<number>;
  kill(): Promise<unknown>;
  stop(): Promise<{ code: number | null; milliseconds: number }>;
}
type OurProcessClass = new (options: { app: 'api' | 'worker'; environment: Record<string, string>; directory: string }) => OurProcess;

/** One answer that the model is writing. */
interface Writing {
  response: ServerResponse;
  endedAt?: number;
}

interface Job {
  id: string;
  status: string;
  attempt: number;
  error?: object;
}

describeModels('The API and two workers as processes, over PostgreSQL and RabbitMQ', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sutazai-workers-'));
  const models = mkdtempSync(join(tmpdir(), 'sutazai-one-model-'));
  let database: Awaited<ReturnType<typeof newDatabase>>;
  let broker: TestServer;
  let double: OllamaDouble;
  let api: OurProcess;
  let workers: OurProcess[];
  let token: string;
  let sql: Client;
  /** What the model writes now and wrote, oldest first. */
  const writings: Writing[] = [];
  let pauseMs = 100;

  const environment = (): Record<string, string> => ({
    DATABASE_URL: database.url ?? '',
    RABBITMQ_URL: broker.url,
    MODELS_DIR: models,
    OLLAMA_URL: double.url,
    CHAT_MODEL: MODEL,
    RATE_LIMIT_PER_MINUTE: '100000',
  });

  beforeAll(async () => {
    symlinkSync(embeddingFile, join(models, basename(embeddingFile)));
    [database, broker, double] = await Promise.all([
      newDatabase('postgres'),
      startServerOf('rabbitmq', 'startRabbitmq'),
      OllamaDouble.start(),
    ]);
    double.models = [MODEL];
    double.answers.set('chat', (_call, response) => void write(response));
    const { ServerProcess } = (await import(join(__dirname, '..', 'support', 'server.mjs'))) as { ServerProcess: OurProcessClass };
    const start = (app: 'api' | 'worker'): OurProcess => new ServerProcess({ app, environment: environment(), directory });
    api = start('api');
    await api.start();
    workers = [start('worker'), start('worker')];
    await Promise.all(workers.map((worker) => worker.start()));
    sql = new Client({ connectionString: database.url });
    await sql.connect();
    const registered = await post('/api/v1/auth/register', { email: 'first@example.org', password: 'correct horse battery staple' });
    token = String((registered as { access_token: string }).access_token);
  }, 180_000);
  afterAll(async () => {
    await sql?.end();
    await Promise.all([api, ...(workers ?? [])].filter((one) => one?.child !== undefined).map((one) => one.kill()));
    await Promise.all([double?.close(), broker?.stop(), database?.drop()]);
    for (const folder of [directory, models]) rmSync(folder, { recursive: true, force: true });
  });

  async function write(response: ServerResponse): Promise<void> {
    const writing: Writing = { response };
    writings.push(writing);
    response.once('close', () => (writing.endedAt = performance.now()));
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    for (let piece = 0; piece < PIECES && writing.endedAt === undefined; piece += 1) {
      response.write(`${JSON.stringify({ message: { role: 'assistant', content: `word${piece} ` }, done: false })}\n`);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    response.end(
      `${JSON.stringify({ message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop', prompt_eval_count: 9, eval_count: PIECES })}\n`,
    );
  }

  const call = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${api.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...init.headers },
    });
  async function post(path: string, body: object): Promise<unknown> {
    const answer = await call(path, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`POST ${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }
  const get = async <T>(path: string): Promise<T> => (await call(path)).json() as Promise<T>;
  const session = async (): Promise<string> => ((await post('/api/v1/chat/sessions', { model: MODEL })) as { id: string }).id;
  const ask = async (): Promise<Job> =>
    ((await post(`/api/v1/chat/sessions/${await session()}/messages`, { content: 'Write forty words.' })) as { job: Job }).job;
  const ended = async (id: string, milliseconds = 40_000): Promise<Job> => {
    const look = (): Promise<Job> => get<Job>(`/api/v1/jobs/${id}`);
    await until(async () => ['succeeded', 'failed', 'cancelled'].includes((await look()).status), milliseconds);
    return look();
  };
  const eventsOf = async (id: string): Promise<string[]> =>
    (await sql.query<{ event: string }>('SELECT event FROM job_events WHERE job_id = $1 ORDER BY seq', [id])).rows.map((row) => row.event);
  /** By the identity of the folder that its leases carry: which of the workers runs the job. */
  const workerOf = async (jobId: string): Promise<OurProcess> => {
    const { rows } = await sql.query<{ lease_holder: string }>('SELECT lease_holder FROM jobs WHERE id = $1', [jobId]);
    const folder = readdirSync(join(directory, 'workers')).find(
      (name) => readFileSync(join(directory, 'workers', name, 'instance'), 'utf8').trim() === rows[0]?.lease_holder,
    );
    const { pid } = JSON.parse(readFileSync(join(directory, 'workers', folder ?? '', 'lock'), 'utf8')) as { pid: number };
    const found = workers.find((worker) => worker.child.pid === pid);
    if (found === undefined) throw new Error(`No worker runs job ${jobId}.`);
    return found;
  };
  /** The next one that begins. */
  const writing = async (milliseconds = 20_000): Promise<Writing> => {
    const before = writings.length;
    await until(() => writings.length > before, milliseconds);
    return writings[before] as Writing;
  };

  it('streams an answer to a client of the API while a worker writes it', async () => {
    const id = await session();
    const asked = performance.now();
    const answer = await call(`/api/v1/chat/sessions/${id}/messages`, {
      method: 'POST',
      headers: { accept: 'text/event-stream' },
      body: JSON.stringify({ content: 'Write forty words.' }),
    });
    const deltas: number[] = [];
    let text = '';
    for await (const bytes of answer.body ?? []) {
      const piece = Buffer.from(bytes as Uint8Array).toString();
      text += piece;
      if (piece.includes('event: delta')) deltas.push(performance.now() - asked);
    }
    const whole = performance.now() - asked;
    tell(`first delta after ${deltas[0]?.toFixed(0)} ms, the last event after ${whole.toFixed(0)} ms, in ${deltas.length} pieces`);
    expect(text).toContain('event: done');
    expect(deltas.length).toBeGreaterThan(5);
    // It came while it was written, not when it was done.
    expect(whole - (deltas[0] ?? whole)).toBeGreaterThan((PIECES * pauseMs) / 2);
    const metrics = await Promise.all(workers.map(async (worker) => (await fetch(`${worker.url}/metrics`)).text()));
    expect(metrics.filter((page) => page.includes('jobs_finished_total{kind="chat.answer",outcome="succeeded"} 1'))).toHaveLength(1);
    for (const worker of workers) expect((await fetch(`${worker.url}/livez`)).status).toBe(200);
  });

  it('ingests a document, which a search of the API finds', async () => {
    const form = new FormData();
    form.set('file', new File(['The harbour of Lund has a green crane, built in 1911.'], 'crane.txt', { type: 'text/plain' }));
    const upload = await fetch(`${api.url}/api/v1/documents`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: form,
    });
    expect(upload.status).toBe(202);
    const job = await ended((upload.headers.get('location') ?? '').split('/').at(-1) ?? '');
    expect(job).toMatchObject({ status: 'succeeded', attempt: 1 });
    const found = (await post('/api/v1/search', { collections: ['default'], query: 'When was the crane built?' })) as {
      data: { text: string }[];
    };
    expect(JSON.stringify(found)).toContain('green crane');
  });

  it('stops the model within 2 s of a cancel, in whatever worker', async () => {
    const begun = writing();
    const job = await ask();
    const { response } = await begun;
    const asked = performance.now();
    await post(`/api/v1/jobs/${job.id}/cancel`, {});
    await until(() => response.destroyed, 5_000);
    const took = (writings.find((one) => one.response === response)?.endedAt ?? 0) - asked;
    tell(`cancel over the API -> the model's connection closed by the worker: ${took.toFixed(0)} ms`);
    expect(took).toBeLessThan(2_000);
    expect((await eventsOf(job.id)).at(-1)).toBe('cancelled');
  });

  it('says that a model is pulled while a worker pulls it', async () => {
    double.lines('pull', [{ status: 'pulling', digest: `sha256:${'a'.repeat(64)}`, total: 900, completed: 300 }], 'stall');
    const { job } = (await post('/api/v1/models', { name: 'qwen3-8b' })) as { job: Job };
    await until(async () => (await get<{ state: string }>('/api/v1/models/qwen3-8b')).state === 'pulling');
    await post(`/api/v1/jobs/${job.id}/cancel`, {});
    await until(async () => (await get<{ state: string }>('/api/v1/models/qwen3-8b')).state === 'missing');
  });

  it('takes a job over from a killed worker when its lease has run out', async () => {
    const begun = writing();
    const job = await ask();
    await begun;
    await until(async () => (await eventsOf(job.id)).includes('delta'));
    const victim = await workerOf(job.id);
    const again = writing(2 * TAKEOVER_MS);
    const killed = performance.now();
    await victim.kill();
    await again;
    const took = performance.now() - killed;
    tell(`worker killed mid-answer -> another one writes: ${(took / 1_000).toFixed(1)} s`);
    expect(took).toBeLessThan(TAKEOVER_MS);
    expect(await ended(job.id)).toMatchObject({ status: 'succeeded', attempt: 2 });
    const events = await eventsOf(job.id);
    expect(events.filter((event) => event === 'reset')).toHaveLength(1);
    expect(events.filter((event) => event === 'done')).toHaveLength(1);
    await victim.start();
  }, 90_000);

  it('hands a job over at the SIGTERM of its worker, which ends with 0', async () => {
    const begun = writing();
    const job = await ask();
    await begun;
    const leaving = await workerOf(job.id);
    const again = writing();
    const asked = performance.now();
    const [{ code, milliseconds }] = await Promise.all([leaving.stop(), again]);
    tell(
      `SIGTERM of a worker mid-answer: it ended after ${milliseconds.toFixed(0)} ms, another one wrote after ${(performance.now() - asked).toFixed(0)} ms`,
    );
    expect(code).toBe(0);
    expect(await ended(job.id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    await leaving.start();
  }, 60_000);

  it('accepts while the broker is killed, loses nothing, and says so', async () => {
    pauseMs = 1;
    const state = async (): Promise<string> =>
      (await get<{ services: { name: string; status: string }[] }>('/health/detailed')).services.find(({ name }) => name === 'rabbitmq')
        ?.status ?? '';
    expect(await state()).toBe('up');
    type Said = { name: string; status: string; details?: { alive: number } };
    const workersSaid = async (): Promise<Said | undefined> =>
      (await get<{ services: Said[] }>('/health/detailed')).services.find(({ name }) => name === 'workers');
    await until(async () => (await workersSaid())?.details?.alive === 2);
    expect(await workersSaid()).toMatchObject({ status: 'up', driver: 'rabbitmq' });
    const jobs: string[] = [];
    for (let n = 0; n < 5; n += 1) jobs.push((await ask()).id);
    await broker.kill();
    let slowest = 0;
    for (let n = 0; n < 10; n += 1) {
      const asked = performance.now();
      jobs.push((await ask()).id);
      slowest = Math.max(slowest, performance.now() - asked);
    }
    await until(async () => (await state()) === 'down');
    await broker.restart();
    const ready = performance.now();
    await until(async () => (await state()) === 'up', 15_000);
    const up = performance.now() - ready;
    const all = await Promise.all(jobs.map((id) => ended(id, 60_000)));
    const lost = all.filter(({ status }) => status !== 'succeeded').length;
    tell(
      `broker killed: ${jobs.length} answers accepted around it (slowest ${slowest.toFixed(0)} ms for a session and a question), ${lost} lost, ` +
        `up again ${(up / 1_000).toFixed(1)} s after it was, all done ${((performance.now() - ready) / 1_000).toFixed(1)} s after`,
    );
    expect(lost).toBe(0);
    expect(up).toBeLessThan(10_000);
    expect((await Promise.all(jobs.map(eventsOf))).map((events) => events.filter((event) => event === 'done').length)).toEqual(
      jobs.map(() => 1),
    );
  }, 150_000);

  it('refuses to start without its services, naming the settings', async () => {
    const { RABBITMQ_URL: _, DATABASE_URL: __, ...without } = environment();
    const started = spawnSync(process.execPath, [join('dist', 'apps', 'worker', 'src', 'main.js')], {
      cwd: join(__dirname, '..', '..'),
      env: { PATH: process.env.PATH, DATA_DIR: directory, ...without },
      encoding: 'utf8',
    });
    expect(started.status).toBe(78);
    expect(started.stderr).toMatch(/RABBITMQ_URL: must be set/);
    expect(started.stderr).toMatch(/DATABASE_URL: must be set/);
  });
});
