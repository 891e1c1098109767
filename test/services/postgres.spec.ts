import { connect, createServer, type AddressInfo } from 'node:net';
import { openSource, PostgresClient, sql, type Queryable } from '@backing/postgres';
import { Client } from 'pg';
import { v7 } from 'uuid';
import { FaultProxy } from '../support/fault-proxy';
import { startServerOf, type TestServer } from '../support/services';

const POOL = { poolSize: 2, poolOverflow: 4, migrate: 'auto' as const };
/** ReadyForQuery, and what a backend says when the server is gone (PostgreSQL's frontend/backend protocol). */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
const FIELDS = Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0');
const GONE = Buffer.concat([Buffer.from([0x45, 0, 0, 0, FIELDS.length + 4]), FIELDS]);
const DIRECTORY = { directory: '/nowhere' };

let server: TestServer;
let admin: Client;

beforeAll(async () => {
  server = await startServerOf('postgres', 'startPostgres');
  admin = await administrator();
}, 120_000);
afterAll(async () => {
  await admin?.end();
  await server?.stop();
});

async function administrator(): Promise<Client> {
  const client = new Client({ connectionString: server.url });
  // The tests kill the server under it.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function opened(url = server.url, timing: ConstructorParameters<typeof PostgresClient>[2] & { statementMs?: number } = {}) {
  const { source } = await openSource({ ...DIRECTORY, database: { ...POOL, url } }, timing);
  return new PostgresClient(source, undefined, timing);
}

/** The process ids of the pool's backends. */
async function backends(): Promise<number[]> {
  const { rows } = await admin.query<{ pid: number }>(`SELECT pid FROM pg_stat_activity WHERE application_name = 'sutazai' ORDER BY pid`);
  return rows.map(({ pid }) => pid);
}

async function until(truth: () => Promise<boolean>, milliseconds: number): Promise<number> {
  const started = performance.now();
  while (!(await truth())) {
    if (performance.now() - started > milliseconds) throw new Error(`Not within ${milliseconds} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - started;
}

/** The rows or the error, so that one that fails early is no unhandled rejection. */
function settled(rows: Promise<unknown>): Promise<unknown> {
  return rows.catch((error: unknown) => String(error));
}

describe('PostgresClient over a real server', () => {
  let client: PostgresClient;
  beforeAll(async () => {
    client = await opened();
    await client.query(sql`CREATE TABLE IF NOT EXISTS written (id uuid PRIMARY KEY, n int NOT NULL)`);
  }, 120_000);
  afterAll(() => client?.onApplicationShutdown());

  const pid = (on: Queryable) => on.query<{ pid: number }>(sql`SELECT pg_backend_pid() AS pid`).then(([row]) => row?.pid ?? 0);
  const count = (id: string) => client.query(sql`SELECT FROM written WHERE id = ${id}`).then((rows) => rows.length);

  it('survives a server that ends a connection in the packet that says it is ready', async () => {
    let poisoned = false;
    const { hostname, port } = new URL(server.url);
    const relay = createServer((socket) => {
      const upstream = connect(Number(port), hostname);
      for (const end of [socket, upstream]) end.on('error', () => socket.destroy()).on('close', () => upstream.destroy());
      socket.on('data', (bytes) => upstream.write(bytes));
      upstream.on('data', (bytes) => {
        if (poisoned && bytes.subarray(-6).equals(READY)) socket.end(Buffer.concat([bytes, GONE]));
        else socket.write(bytes);
      });
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const url = new URL(server.url);
    url.port = String((relay.address() as AddressInfo).port);
    const over = await opened(url.href);
    await over.query(sql`SELECT 1`);
    poisoned = true;
    const answers = await Promise.allSettled(Array.from({ length: 4 }, () => over.query(sql`SELECT pg_sleep(0.1)`)));
    expect(answers.map(({ status }) => status)).toContain('rejected');
    for (const answer of answers) if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'unavailable' });
    poisoned = false;
    await until(async () => Array.isArray(await settled(over.query(sql`SELECT 1`))), 5_000);
    await over.onApplicationShutdown();
    relay.close();
  });

  it('keeps the least connections, opens more when they are needed, and closes those again', async () => {
    const hold = () => client.query(sql`SELECT pg_sleep(0.5)`);
    await Promise.all(Array.from({ length: 6 }, hold));
    expect(await backends()).toHaveLength(6);
    await until(async () => (await backends()).length === POOL.poolSize, 20_000);
    expect(client.pool).toEqual({ open: 2, idle: 2, waiting: 0 });
  }, 60_000);

  it('tells who waits for a connection for a second in vain, and takes the server for well', async () => {
    const held = Array.from({ length: 6 }, () => client.query(sql`SELECT pg_sleep(2)`));
    await until(async () => client.pool.open === 6 && client.pool.idle === 0, 5_000);
    await expect(client.query(sql`SELECT 1`)).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 });
    await Promise.all(held);
    expect(await client.query(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
  });

  it('asks a question again on another connection when its own is ended by the server', async () => {
    const question = client.query<{ n: number }>(sql`SELECT ${7}::int AS n FROM pg_sleep(1)`);
    await until(async () => (await endBackend('AS n FROM pg_sleep')) > 0, 5_000);
    expect(await question).toEqual([{ n: 7 }]);
  });

  it('does not repeat what changes something, unless it is keyed', async () => {
    const slowly = (id: string) => sql`INSERT INTO written SELECT ${id}::uuid, 1 FROM pg_sleep(1) ON CONFLICT (id) DO NOTHING`;
    const [once, keyed] = [v7(), v7()];
    const lost = client.query(slowly(once)).catch((error: unknown) => error);
    await until(async () => (await endBackend('INSERT INTO written')) > 0, 5_000);
    expect(await lost).toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 });
    expect(await count(once)).toBe(0);
    const repeated = client.query(slowly(keyed), { repeatable: true });
    await until(async () => (await endBackend('INSERT INTO written')) > 0, 5_000);
    await repeated;
    expect(await count(keyed)).toBe(1);
  });

  it('ends a transaction whose connection is lost, and begins one on another', async () => {
    const id = v7();
    const work = (after: (tx: Queryable) => Promise<unknown>) =>
      client.transaction(async (tx) => {
        await tx.query(sql`INSERT INTO written VALUES (${id}, 1)`);
        await after(tx);
        await tx.query(sql`SELECT 1`);
      });
    const ended = work(async (tx) => admin.query('SELECT pg_terminate_backend($1, 5000)', [await pid(tx)]));
    await expect(ended).rejects.toMatchObject({ code: 'unavailable' });
    expect(await count(id)).toBe(0);
    for (const one of await backends()) await admin.query('SELECT pg_terminate_backend($1, 5000)', [one]);
    await work(async () => undefined);
    expect(await count(id)).toBe(1);
  });

  it('does not confirm a transaction in which a statement failed and nobody cared', async () => {
    const id = v7();
    const careless = client.transaction(async (tx) => {
      await tx.query(sql`INSERT INTO written VALUES (${id}, 1)`);
      await tx.query(sql`SELECT 1 / 0`).catch(() => undefined);
    });
    await expect(careless).rejects.toThrow('rolled back');
    expect(await count(id)).toBe(0);
  });

  it('survives the crash of one backend, which takes all connections with it', async () => {
    const [victim] = await backends();
    if (victim === undefined) throw new Error('no backend');
    const answers: Promise<unknown>[] = [];
    const asking = setInterval(() => answers.push(settled(client.query(sql`SELECT 1 AS one`))), 20);
    try {
      await until(async () => answers.length > 5, 5_000);
      process.kill(victim, 'SIGKILL');
      await until(async () => answers.length > 60, 20_000);
    } finally {
      clearInterval(asking);
      await Promise.allSettled(answers);
      admin = await administrator();
    }
    expect(new Set((await Promise.all(answers)).map((rows) => JSON.stringify(rows)))).toEqual(new Set(['[{"one":1}]']));
  }, 60_000);

  /** Ends the backends that run a statement with this text. */
  async function endBackend(text: string): Promise<number> {
    const { rowCount } = await admin.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'sutazai' AND state = 'active' AND position($1 IN query) > 0`,
      [text],
    );
    return rowCount ?? 0;
  }
});

describe('PostgresClient over a bad network', () => {
  let proxy: FaultProxy;
  let client: PostgresClient;
  beforeAll(async () => {
    const before = await FaultProxy.beforeUrl(server.url);
    ({ proxy } = before);
    client = await opened(before.url, { statementMs: 2_000, validateAfterMs: 50 });
    await client.query(sql`CREATE TABLE IF NOT EXISTS written (id uuid PRIMARY KEY, n int NOT NULL)`);
  }, 120_000);
  afterAll(async () => {
    await client?.onApplicationShutdown();
    await proxy?.close();
  });
  afterEach(async () => {
    await proxy.clear();
    await until(() => client.query(sql`SELECT 1`).then(Boolean, () => false), 10_000);
  });

  const insert = (id: string) => sql`INSERT INTO written VALUES (${id}, 1) ON CONFLICT (id) DO UPDATE SET n = written.n + 1`;
  const found = (id: string) => admin.query<{ n: number }>('SELECT n FROM written WHERE id = $1', [id]).then(({ rows }) => rows);

  it('is slow where the network is', async () => {
    await proxy.put({ kind: 'slow', milliseconds: 150 });
    const started = performance.now();
    expect(await client.query(sql`SELECT 2 AS two`)).toEqual([{ two: 2 }]);
    expect(performance.now() - started).toBeGreaterThanOrEqual(149);
  });

  it('does not wait for ever for a server that is silent, and refuses at once after that', async () => {
    await client.query(sql`SELECT 1`);
    await proxy.put({ kind: 'silent' });
    await expect(client.query(sql`SELECT 1`)).rejects.toMatchObject({ code: 'unavailable' });
    const started = performance.now();
    await expect(client.query(sql`SELECT 1`)).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: expect.any(Number) });
    const took = performance.now() - started;
    process.stdout.write(`silent server: the next one is refused in ${took.toFixed(1)} ms\n`);
    expect(took).toBeLessThan(500);
  }, 30_000);

  it('finds out before use that a connection died while it idled', async () => {
    await client.query(sql`SELECT 1`);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const dead = await backends();
    // They hold their connections and say nothing, as a machine that was unplugged.
    for (const one of dead) process.kill(one, 'SIGSTOP');
    try {
      const id = v7();
      await client.query(insert(id));
      expect(await found(id)).toEqual([{ n: 1 }]);
    } finally {
      for (const one of dead) process.kill(one, 'SIGCONT');
    }
  }, 30_000);

  it.each([
    ['is reported as not known to be stored', false],
    ['is repeated where the work is keyed', true],
  ])('a commit whose answer is lost %s', async (_, repeatable) => {
    const id = v7();
    let tries = 0;
    const writing = client.transaction(
      async (tx) => {
        tries += 1;
        await tx.query(insert(id));
        if (tries === 1) await proxy.put({ kind: 'silent' });
      },
      { repeatable },
    );
    const outcome = writing.then(
      () => 'stored',
      (error: unknown) => error,
    );
    await until(async () => (await found(id)).length === 1, 5_000);
    await proxy.clear();
    proxy.resetAll();
    if (repeatable) expect(await outcome).toBe('stored');
    else expect(await outcome).toMatchObject({ code: 'unavailable', message: expect.stringContaining('not known to be stored') });
    expect(await found(id)).toEqual([{ n: tries }]);
    expect(tries).toBe(repeatable ? 2 : 1);
  });

  it('a reset in the middle of a question costs nothing', async () => {
    const question = client.query<{ n: number }>(sql`SELECT ${9}::int AS n FROM pg_sleep(0.3)`);
    await until(async () => client.pool.open > client.pool.idle, 5_000);
    proxy.resetAll();
    expect(await question).toEqual([{ n: 9 }]);
  });
});
