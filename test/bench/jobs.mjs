// npm run bench:jobs -- [--only relay,start,accept,claim] [--jobs 200] [--rows 50000] [--finished 1000000]: what a job costs over a real PostgreSQL and RabbitMQ.
// accept: the accepting statement against a plain insert of the same row, in turn; start: from the commit of the accepting statement to the handler, at 20 jobs/s;
// relay: rows of the outbox published and deleted in a second; claim: the time of one claim with nothing, 10,000 and a million finished jobs in the table, and with
// 10,000 that wait, in one workspace and in a thousand, behind up to 100,000 finished ones.
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fdatasyncMedian, JobLeaseRepository, Jobs, OutboxRelay, quantile, sql, Stage, v7, work } from './jobs-stage.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'relay,start,accept,claim' },
    jobs: { type: 'string', default: '200' },
    rows: { type: 'string', default: '50000' },
    finished: { type: 'string', default: '1000000' },
  },
});
const JOBS = Number(options.jobs);
const ROWS = Number(options.rows);
const PAUSE_MS = 50;
const CLAIMS = 200;
const tell = (line) => process.stdout.write(`${line}\n`);

let missed = 0;
function judge(line, good) {
  if (!good) missed += 1;
  tell(`${line}: ${good ? 'met' : 'MISSED'}`);
}

async function timed(action) {
  const started = performance.now();
  await action();
  return performance.now() - started;
}

function acceptance(stage, jobs, workspaceId = stage.workspaceId) {
  const { jobId, ctes } = jobs.acceptance(work, { name: 'bench' }, { workspaceId, ownerId: stage.ownerId });
  return { jobId, statement: sql`WITH ${ctes} SELECT id FROM job` };
}

/** The same row as an acceptance writes, alone. */
const plainInsert = (
  stage,
) => sql`INSERT INTO jobs (id, workspace_id, owner_id, api_key_id, visibility, kind, contract_version, payload, subject_id, max_attempts,
    last_seq, retry_of, request_id)
  VALUES (${v7()}::uuid, ${stage.workspaceId}::uuid, ${stage.ownerId}::uuid, ${null}::uuid, ${'private'}, ${work.kind}, ${work.version},
    ${JSON.stringify({ name: 'bench' })}::jsonb, ${null}::uuid, ${work.maxAttempts}, 1, ${null}::uuid, ${null})`;

async function benchAccept(stage, jobs) {
  for (let n = 0; n < 300; n += 1) await stage.client.query(acceptance(stage, jobs).statement);
  // PostgreSQL plans for a table that was vacuumed while empty as for one page, and foreign keys look through all of it (ratio 1.6) until it is
  // analyzed, which autovacuum does within a minute.
  await stage.prepare(sql`ANALYZE jobs, job_events, outbox`);
  const times = { accept: [], plain: [] };
  for (let n = 0; n < 2_000; n += 1) {
    const [plain, accept] = [plainInsert(stage), acceptance(stage, jobs).statement];
    // With a name, as the accepting statements of the product have one.
    times.plain.push(await timed(() => stage.client.query(plain, { name: 'bench.plain' })));
    times.accept.push(await timed(() => stage.client.query(accept, { name: 'bench.accept' })));
  }
  await stage.prepare(sql`DELETE FROM jobs`);
  const [accept, plain] = [quantile(times.accept, 0.5), quantile(times.plain, 0.5)];
  judge(
    `accept: p50 ${accept.toFixed(2)} ms, a plain insert of the same row ${plain.toFixed(2)} ms, ratio ${(accept / plain).toFixed(2)} (<= 1.20)`,
    accept / plain <= 1.2,
  );
}

async function benchStart(stage, jobs) {
  const disk = fdatasyncMedian();
  const times = [];
  const one = async () => {
    const { jobId, statement } = acceptance(stage, jobs);
    const begun = new Promise((resolve) => stage.worker.begun.set(jobId, resolve));
    await stage.client.query(statement);
    const accepted = performance.now();
    jobs.wake();
    return (await begun) - accepted;
  };
  for (let n = 0; n < 10; n += 1) await one();
  for (let n = 0; n < JOBS; n += 1) {
    const [took] = await Promise.all([one(), delay(PAUSE_MS)]);
    times.push(took);
  }
  const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
  const most = disk <= 1 ? 25 : 100;
  judge(
    `accept -> handler start at 20 jobs/s: p50 ${p50.toFixed(1)} ms (<= 5), p99 ${p99.toFixed(1)} ms (<= ${most}); fdatasync p50 ${disk.toFixed(2)} ms, ` +
      `again ${fdatasyncMedian().toFixed(2)} ms`,
    p50 <= 5 && p99 <= most,
  );
}

async function benchRelay(stage, app) {
  const { client } = stage;
  const left = async () => (await client.query(sql`SELECT count(*)::int AS rows FROM outbox`))[0].rows;
  await stage.prepare(sql`INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, max_attempts, status, finished_at)
    SELECT gen_random_uuid(), ${stage.workspaceId}::uuid, ${stage.ownerId}::uuid, 'bench.other', 1, '{}', 1, 'succeeded', now() FROM generate_series(1, ${ROWS})`);
  await stage.prepare(sql`INSERT INTO outbox (id, job_id, kind) SELECT gen_random_uuid(), id, kind FROM jobs WHERE kind = 'bench.other'`);
  await stage.prepare(sql`ANALYZE outbox`);
  const started = performance.now();
  app.get(OutboxRelay).wake();
  while ((await left()) > 0) await delay(200);
  const rate = ROWS / ((performance.now() - started) / 1_000);
  judge(`relay: ${ROWS} rows published with confirms and deleted, ${Math.round(rate)} rows/s (>= 10000)`, rate >= 10_000);
  await stage.prepare(sql`DELETE FROM jobs`);
  // What the backlog leaves behind is no part of what follows.
  await stage.prepare(sql`VACUUM jobs, job_events, outbox`);
}

async function claims(stage, jobs, leases) {
  for (let n = 0; n < CLAIMS; n += 1) await stage.client.query(acceptance(stage, jobs).statement);
  const times = [];
  for (let n = 0; n < CLAIMS; n += 1) times.push(await timed(() => leases.claimNext(work)));
  await stage.prepare(sql`DELETE FROM jobs WHERE status = 'running'`);
  return quantile(times, 0.5);
}

/** Ended jobs of twenty workspaces over a month, as a table of an instance in use holds them. */
async function finish(stage, workspaces, count) {
  for (let left = count; left > 0; left -= 100_000) {
    await stage.client
      .query(sql`INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, max_attempts, status, attempt, created_at, started_at, finished_at)
      SELECT gen_random_uuid(), (${workspaces}::uuid[])[1 + n % ${workspaces.length}], ${stage.ownerId}::uuid, ${work.kind}, 1, '{"name":"old"}', 5, 'succeeded', 1,
        now() - n * interval '2 seconds', now() - n * interval '2 seconds', now() - n * interval '2 seconds' + interval '1 second'
      FROM generate_series(1, ${Math.min(left, 100_000)}) AS n`);
  }
  await stage.prepare(sql`ANALYZE jobs`);
}

async function benchClaim(stage, jobs, leases) {
  const others = Array.from({ length: 19 }, () => [v7(), v7()]);
  for (const [workspace, owner] of others) await stage.account(workspace, owner);
  const workspaces = [stage.workspaceId, ...others.map(([workspace]) => workspace)];
  await claims(stage, jobs, leases);
  const points = [];
  let there = 0;
  for (const count of [0, 10_000, Number(options.finished)]) {
    await finish(stage, workspaces, count - there);
    there = count;
    const times = [];
    for (let n = 0; n < 3; n += 1) times.push(await claims(stage, jobs, leases));
    points.push([count, Math.min(...times)]);
  }
  const slope = slopeOf(points.map(([count, time]) => [Math.log10(Math.max(1, count)), Math.log10(time)]));
  const seen = points.map(([count, time]) => `${count}: ${time.toFixed(2)} ms`).join(', ');
  judge(`claim with so many finished jobs: ${seen}; log-log slope ${slope.toFixed(3)} (<= 0.1)`, slope <= 0.1);
}

/** Jobs that wait, behind the finished ones of the same workspaces: their ids rise with time, as those of the product do. */
async function benchQueue(stage, jobs, leases) {
  await stage.prepare(sql`DELETE FROM jobs`);
  for (const [spaces, finished] of [
    [1, 0],
    [1, 10_000],
    [1, 100_000],
    [1_000, 100_000],
  ]) {
    const queued = Array.from({ length: spaces }, () => v7());
    await stage.prepare(
      sql`INSERT INTO workspaces (id, name, owner_id) SELECT id, 'w', ${stage.ownerId}::uuid FROM unnest(${queued}::uuid[]) AS id`,
    );
    await stage.prepare(sql`INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, max_attempts, status, attempt, started_at, finished_at)
      SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, (${queued}::uuid[])[1 + n % ${spaces}], ${stage.ownerId}::uuid, ${work.kind}, 1,
        '{"name":"old"}', 5, 'succeeded', 1, now(), now() FROM generate_series(1, ${finished}) AS n`);
    await stage.prepare(sql`INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, max_attempts)
      SELECT ('ffffffff-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, (${queued}::uuid[])[1 + n % ${spaces}], ${stage.ownerId}::uuid, ${work.kind}, 1,
        '{"name":"waits"}', 5 FROM generate_series(1, 10000) AS n`);
    await stage.prepare(sql`VACUUM ANALYZE jobs`);
    const times = [];
    for (let n = 0; n < 50; n += 1) times.push(await timed(() => leases.claimNext(work)));
    const { id } = (await stage.client.query(sql`SELECT id FROM jobs WHERE status = 'queued' LIMIT 1`))[0];
    const place = await timed(async () => jobs.queuePosition({ id, kind: work.kind, status: 'queued' }));
    tell(
      `claim with 10000 that wait in ${spaces} workspaces, and ${finished} finished: p50 ${quantile(times, 0.5).toFixed(2)} ms; ` +
        `a place in that queue: ${place.toFixed(0)} ms`,
    );
    await stage.prepare(sql`DELETE FROM jobs`);
  }
}

function slopeOf(points) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map((point) => point[0])), mean(points.map((point) => point[1]))];
  return (
    points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
  );
}

const ONLY = options.only.split(',');
const stage = await Stage.open();
try {
  const app = await stage.accepting();
  const jobs = app.get(Jobs);
  if (ONLY.includes('relay')) await benchRelay(stage, app);
  if (ONLY.includes('start')) {
    await stage.working();
    await benchStart(stage, jobs);
  }
  // What follows is about the database alone: nobody else looks at it.
  await stage.endProcesses();
  if (ONLY.includes('accept')) await benchAccept(stage, jobs);
  if (ONLY.includes('claim')) {
    const leases = new JobLeaseRepository(stage.client, { leaseMs: 600_000 }, { delays: true }, 'bench');
    await benchClaim(stage, jobs, leases);
    await benchQueue(stage, jobs, leases);
  }
} finally {
  await stage.close();
}
process.exitCode = missed === 0 ? 0 : 1;
