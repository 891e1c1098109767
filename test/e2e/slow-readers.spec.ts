import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PostgresClient, sql } from '@backing/postgres';
import { MetricsServer } from '@backing/prometheus';
import { JobHandlers, Jobs } from '@features/jobs';
import { JobStream } from '../../apps/api/src/jobs/job-stream.service';
import { StreamTiming } from '../../apps/api/src/jobs/stream-timing.entity';
import { startApi, type Registered, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { parseEvents } from '../support/events';
import { gate, TestHandler, testWork } from '../support/jobs';
import { until } from '../support/until';

const READERS = 12;
const EVENTS = 4_000;
const EVENT_BYTES = 5_000;
/** Of one stream: a page of 256 KiB of data, one event over it, and what frames them. */
const HELD_BYTES = 300_000;
/** The same beside its objects, its connection and the page as it was read. */
const HEAP_BYTES = 1_500_000;

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

/** Everything that V8 and Node hold, garbage collected. */
function memory(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describeDatabases('Readers of events that never read', (kind) => {
  let api: TestApi;
  let me: Registered;
  const [running, end] = [gate(), gate()];

  beforeAll(async () => {
    api = await startApi({ database: kind });
    const client = api.app.get(PostgresClient, { strict: false });
    await client.query(sql`CREATE TABLE effects (job_id uuid, status text, text text)`);
    const handler = new TestHandler(() => ({ jobs: api.app.get(Jobs, { strict: false }), client }));
    handler.work = async () => {
      running.open();
      await end.opened;
      return {};
    };
    api.app.get(JobHandlers, { strict: false }).register([handler]);
    me = await api.register();
  });
  afterAll(() => api.close());

  /** A job that runs, with a log of 20 MB. */
  async function longJob(): Promise<string> {
    const client = api.app.get(PostgresClient, { strict: false });
    const jobs = api.app.get(Jobs, { strict: false });
    const { workspaceId, userId: ownerId } = me;
    const { jobId, ctes } = jobs.acceptance(testWork, { name: 'long' }, { workspaceId, ownerId });
    await client.query(sql`WITH ${ctes} SELECT id FROM job`);
    jobs.wake();
    await running.opened;
    await client.query(
      sql`WITH held AS (UPDATE jobs SET last_seq = last_seq + ${EVENTS} WHERE id = ${jobId}::uuid RETURNING id, last_seq - ${EVENTS} AS before)
          INSERT INTO job_events (job_id, seq, event, data)
          SELECT id, before + n, 'delta', jsonb_build_object('text', repeat(md5(n::text), ${EVENT_BYTES} / 32)) FROM held, generate_series(1, ${EVENTS}) AS n`,
    );
    return jobId;
  }

  /** A connection that asks and takes nothing of the answer. */
  function open(path: string): Socket {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${me.accessToken}\r\n\r\n`);
    return socket;
  }

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${api.app.get(MetricsServer, { strict: false }).port}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'mu').exec(text)?.[1]);
  }

  it('hold a page each in memory, are left after a while, and lose nothing', async () => {
    const stream = api.app.get(JobStream, { strict: false });
    const timing = api.app.get(StreamTiming, { strict: false });
    expect(timing.stallMs).toBe(30_000);
    const id = await longJob();
    const before = memory();
    const sockets = Array.from({ length: READERS }, () => open(`/api/v1/jobs/${id}/events`));
    let most = 0;
    const look = setInterval(() => (most = Math.max(most, stream.heldBytes)), 1);
    // They are all behind once nothing more is taken between two looks at each of them.
    let last = -1;
    await until(async () => {
      const taken = sockets.reduce((sum, socket) => sum + socket.bytesRead, 0) + stream.heldBytes;
      const same = stream.heldBytes > 0 && taken === last;
      last = taken;
      await new Promise((turn) => setTimeout(turn, 200));
      return same;
    }, 30_000);
    const grown = memory() - before;
    expect(await metric('job_streams_open')).toBe(READERS);
    expect(await metric('job_streams_held_bytes')).toBe(stream.heldBytes);
    process.stdout.write(
      `${READERS} readers that take nothing of ${(EVENTS * EVENT_BYTES) / 1e6} MB each: ${(most / READERS / 1e3).toFixed(0)} kB held for each at most, memory + ${(grown / READERS / 1e3).toFixed(0)} kB for each (${kind})\n`,
    );
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(READERS * HELD_BYTES);
    expect(grown).toBeLessThan(READERS * HEAP_BYTES);
    clearInterval(look);
    for (const socket of sockets) socket.destroy();
    await until(() => stream.heldBytes === 0);

    // One who comes again is left by the server, and goes on where it was.
    Object.assign(timing, { stallMs: 300 });
    const late = open(`/api/v1/jobs/${id}/events`);
    await until(async () => (await metric('job_streams_dropped_total')) === 1);
    Object.assign(timing, { stallMs: 30_000 });
    let bytes = '';
    late.on('data', (piece: Buffer) => (bytes += piece.toString()));
    const closed = new Promise((resolve) => late.once('close', resolve));
    late.resume();
    await closed;
    const seen = [...bytes.matchAll(/^id: (\d+)\r?$/gmu)].map((match) => Number(match[1]));
    // The last one may be there in part only.
    const position = seen.at(-2) ?? 0;
    expect(position).toBeGreaterThan(0);
    end.open();
    const rest = await parseEvents(
      await api.fetch(`/api/v1/jobs/${id}/events`, { token: me.accessToken, headers: { 'last-event-id': String(position) } }),
    );
    expect(rest.map((event) => event.id)).toEqual(Array.from({ length: EVENTS + 3 - position }, (_, n) => position + 1 + n));
    expect(rest.at(-1)?.event).toBe('done');
  });
});
