// npm run faults:streams -- [--disconnects 2000] [--api-kills 50] [--worker-kills 4] [--readers 16] [--seed 1]
// Two APIs, two workers, PostgreSQL, Redis and RabbitMQ. Many readers follow long answers while they are written, are cut off at random (their client goes,
// the connection is reset, it is cut after byte N, the API is killed with kill -9) and go on at any of the APIs by Last-Event-ID or ?after=. What each of them
// has in the end must be the log of the database: no gap, nothing twice, nothing in another order, and the deltas after the last reset are the stored message.
// Prints how long it took until a stream went on. Exits 1 when something broke.
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client } from '../../scripts/client.mjs';
import { generator, percentile } from './random.mjs';
import { Cuts } from './streams/cuts.mjs';
import { Follower } from './streams/follower.mjs';
import { Logs } from './streams/logs.mjs';
import { Replicas } from './streams/replicas.mjs';

const { values: options } = parseArgs({
  options: {
    disconnects: { type: 'string', default: '2000' },
    'api-kills': { type: 'string', default: '50' },
    'worker-kills': { type: 'string', default: '4' },
    readers: { type: 'string', default: '16' },
    seed: { type: 'string', default: '1' },
  },
});
const [wanted, apiKills, workerKills, readers] = ['disconnects', 'api-kills', 'worker-kills', 'readers'].map((name) =>
  Number(options[name]),
);
/** Milliseconds within which 95 of 100 streams must go on. */
const RESUMED_MS = 500;
const READERS_OF_A_JOB = 4;
/** Within which one of the APIs takes a question. */
const ASKED_MS = 30_000;
/** Pieces of an answer, one every 10 ms. */
const [FEWEST, MOST] = [100, 500];
/** Readers join while the answer is written or when it is done. */
const LATEST_JOIN_MS = 6_000;
const MOST_PAUSE_MS = 3_000;

const random = generator(Number(options.seed));
const say = (line) => process.stdout.write(`${line}\n`);
const map = await Replicas.start();
const logs = new Logs(map.database);
const followers = [];
const kills = { api: 0, worker: 0 };
let token;
let quiet = false;
const cuts = new Cuts({ random, on: () => !quiet });
const disconnects = () => followers.reduce((sum, { breaks }) => sum + breaks.length, 0);
const place = () => map.apis[Math.floor(random() * map.apis.length)].url;

try {
  token = await map.key();
  const began = performance.now();
  const reading = Array.from({ length: Math.ceil(readers / READERS_OF_A_JOB) }, follow);
  await Promise.race([kill(), Promise.all(reading)]);
  while (disconnects() < wanted) await delay(100);
  quiet = true;
  await Promise.all(reading);
  process.exitCode = (await judged((performance.now() - began) / 1_000)) === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${map.words}\n`);
  throw error;
} finally {
  await logs.close();
  await map.stop();
}

/** One job after the other, with its readers, until the end. */
async function follow() {
  while (!quiet) {
    const jobId = await ask();
    await Promise.all(
      Array.from({ length: READERS_OF_A_JOB }, async () => {
        const byQuery = random() < 0.3;
        await delay(random() * LATEST_JOIN_MS);
        const follower = new Follower({ jobId, token, place, prepare: (origin) => cuts.prepare(origin), byQuery });
        followers.push(follower);
        await follower.follow();
      }),
    );
  }
}

/** A question in a session of its own, at whichever API takes it. */
async function ask() {
  const content = `Please write ${FEWEST + Math.floor(random() * (MOST - FEWEST))} lines.`;
  const deadline = performance.now() + ASKED_MS;
  for (;;) {
    try {
      const client = new Client(place(), token);
      const session = await client.json('POST', '/api/v1/chat/sessions', {});
      return (await client.json('POST', `/api/v1/chat/sessions/${session.id}/messages`, { content })).job.id;
    } catch (error) {
      // Killed a moment ago.
      if ((error.status !== undefined && error.status < 500) || performance.now() > deadline) throw error;
      await delay(50);
    }
  }
}

/** APIs in turn, and workers among them; each is there again before the next one goes. */
async function kill() {
  const everyNth = workerKills === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(apiKills / workerKills));
  while (kills.api < apiKills) {
    await delay(random() * MOST_PAUSE_MS);
    const victim = map.apis[kills.api % map.apis.length];
    kills.api += 1;
    await victim.kill();
    const worker = kills.api % everyNth === 0 && kills.worker < workerKills ? map.workers[kills.worker % map.workers.length] : undefined;
    if (worker !== undefined) {
      kills.worker += 1;
      await worker.kill();
      await worker.start();
    }
    await victim.start();
    if (kills.api % 10 === 0) say(`${kills.api} of ${apiKills} kills of an API, ${disconnects()} disconnects, ${followers.length} readers`);
  }
}

/** How many promises broke. */
async function judged(seconds) {
  const { failed, reset, jobs } = await logs.ended();
  const total = { gaps: 0, doubled: 0, reordered: 0, other: 0, text: 0, end: 0 };
  for (const follower of followers) {
    const found = await logs.compare(follower);
    found.gaps += follower.faults.filter(({ wanted: next, got }) => got > next).length;
    found.reordered += follower.faults.filter(({ wanted: next, got }) => got < next).length;
    found.end = await endOf(follower);
    for (const name of Object.keys(total)) total[name] += found[name];
  }
  const all = (name) => followers.flatMap((follower) => follower[name]);
  const times = (values) =>
    `p50 ${percentile(values, 0.5).toFixed(0)} ms, p95 ${percentile(values, 0.95).toFixed(0)} ms, most ${percentile(values, 1).toFixed(0)} ms`;
  const resumed = percentile(all('resumes'), 0.95);
  const broken = (how) => all('breaks').filter((kind) => kind === how).length;
  say(
    `${followers.length} readers of ${jobs} jobs (${reset} of them begun again), ${all('events').length} events, ${seconds.toFixed(0)} s`,
  );
  say(
    `${disconnects()} forced disconnects: ${broken('drop')} clients gone, ${broken('reset')} reset on the way, ${broken('bytes')} cut after byte N, ${broken('server')} by ${kills.api} kills of an API (beside ${kills.worker} of a worker)`,
  );
  say(
    `the stream goes on after a break: ${times(all('answers'))}; the next new event: ${times(all('resumes'))} (${RESUMED_MS} ms allowed at p95)`,
  );
  say(
    `${total.gaps} gaps, ${total.doubled} doubled, ${total.reordered} reordered, ${total.other} unlike the stored ones, ${total.text} texts unlike the message, ${total.end} wrong ends, ${failed} jobs not done`,
  );
  const few = disconnects() < wanted || kills.api < apiKills ? 1 : 0;
  return Object.values(total).reduce((sum, count) => sum + count, failed + few + (resumed > RESUMED_MS ? 1 : 0));
}

/** At the terminal event either API says 204; 0 when it does. */
async function endOf({ jobId, last }) {
  const answer = await fetch(`${place()}/api/v1/jobs/${jobId}/events`, {
    headers: { authorization: `Bearer ${token}`, 'last-event-id': String(last) },
    signal: AbortSignal.timeout(10_000),
  });
  await answer.text();
  return answer.status === 204 ? 0 : 1;
}
