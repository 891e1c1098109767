import { PostgresClient } from '@backing/postgres';
import { Client } from 'pg';
import { startApi, type TestApi } from '../support/api';
import { KeyedTraffic, summary } from '../support/keyed-traffic';
import { startServerOf, type TestServer } from '../support/services';

const PER_SECOND = 50;
const ANSWERS_BETWEEN = 12;

describe('the API while its PostgreSQL fails', () => {
  let server: TestServer;
  let api: TestApi;
  let traffic: KeyedTraffic;
  let token: string;
  beforeAll(async () => {
    server = await startServerOf('postgres', 'startPostgres');
    const env = { DATABASE_URL: server.url, RATE_LIMIT_PER_MINUTE: '1000000' };
    api = await startApi({ database: 'embedded', env });
    token = (await api.register()).accessToken;
    traffic = new KeyedTraffic(api, token);
    await traffic.prepare();
  }, 120_000);
  afterAll(async () => {
    await api?.close();
    await server?.stop();
  });
  beforeEach(() => {
    traffic.answers.length = 0;
    traffic.start(PER_SECOND);
  });
  afterEach(() => traffic.stop());

  const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1_000));
  const administrator = async (): Promise<Client> => {
    const client = new Client({ connectionString: server.url });
    await client.connect();
    return client;
  };

  it('answers everything that reads or is keyed while connections are ended one by one', async () => {
    const admin = await administrator();
    let ended = 0;
    try {
      for (const begun = performance.now(); ended < 20 && performance.now() - begun < 40_000; ) {
        const { rowCount } = await admin.query(
          `SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE application_name = 'sutazai' ORDER BY state = 'active' DESC, random() LIMIT 1`,
        );
        ended += rowCount ?? 0;
        // One loss is survived, not two in a row: whoever met this one has its answer before the next.
        for (const next = traffic.answers.length + ANSWERS_BETWEEN; traffic.answers.length < next; ) await seconds(0.02);
      }
    } finally {
      await admin.end();
    }
    await traffic.stop();
    process.stdout.write(`${ended} connections ended: ${JSON.stringify(summary(traffic.answers))}\n`);
    expect(ended).toBeGreaterThanOrEqual(10);
    expect(traffic.answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(await traffic.lost()).toEqual([]);
  }, 120_000);

  it('says 503 quickly while the server is gone, keeps what it acknowledged, and is well soon after the server is', async () => {
    await seconds(1);
    const killed = performance.now();
    await server.kill();
    await seconds(3);
    const probes = await Promise.all(['/livez', '/health'].map((path) => api.get(path)));
    expect(probes.map(({ status }) => status)).toEqual([200, 503]);
    const during = traffic.since(killed + 200);
    const away = during.filter(({ kind }) => kind !== 'live');
    const machine = summary(during.filter(({ kind }) => kind === 'live'))['200']?.p50 ?? 0;
    await server.restart();
    const back = performance.now();
    const healed = await healing(back);
    await traffic.stop();
    process.stdout.write(
      `away: ${JSON.stringify(summary(during))}, /livez p50 ${machine} ms; well again ${Math.round(healed)} ms after the server\n`,
    );
    // Who asks while a second passes is let in from memory, and told by the route.
    expect(new Set(away.map(({ status }) => status))).toEqual(new Set([503]));
    expect(away.every(({ retryAfter }) => Number(retryAfter) >= 1)).toBe(true);
    expect(summary(away)['503']?.p50).toBeLessThanOrEqual(Math.max(50, 2 * machine));
    expect(healed).toBeLessThanOrEqual(5_000);
    expect(traffic.since(back + healed).filter(({ status }) => status !== 200)).toEqual([]);
    expect(await traffic.lost()).toEqual([]);
    expect((await api.get('/readyz')).status).toBe(200);
  }, 120_000);

  it('checks the database once for a thousand who ask, and opens no connection for it', async () => {
    await traffic.stop();
    await seconds(2.1);
    const ping = jest.spyOn(api.app.get(PostgresClient, { strict: false }), 'ping');
    const before = await backendsOf();
    const started = performance.now();
    await Promise.all(Array.from({ length: 1_000 }, () => api.get('/health/detailed')));
    const fresh = Math.ceil((performance.now() - started) / 2_000);
    const checks = ping.mock.calls.length;
    ping.mockRestore();
    const opened = (await backendsOf()).filter((pid) => !before.includes(pid));
    process.stdout.write(`1,000 at the same time: ${checks} check(s) in ${fresh} time(s) 2 s, ${opened.length} new connection(s)\n`);
    // On a busy machine a thousand take longer than the 2 s for which one check is good.
    expect(checks).toBeLessThanOrEqual(fresh);
    expect(opened).toEqual([]);
  }, 120_000);

  async function healing(back: number): Promise<number> {
    for (;;) {
      const asked = performance.now();
      if ((await api.get('/api/v1/chat/sessions?limit=1', token)).status === 200) return asked - back;
      if (asked - back > 30_000) throw new Error('Not well within 30 s.');
      await seconds(0.02);
    }
  }

  async function backendsOf(): Promise<number[]> {
    const admin = await administrator();
    const { rows } = await admin.query<{ pid: number }>(`SELECT pid FROM pg_stat_activity WHERE application_name = 'sutazai'`);
    await admin.end();
    return rows.map(({ pid }) => pid);
  }
});
