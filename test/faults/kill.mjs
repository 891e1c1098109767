// npm run faults -- [--rounds 50] [--only answer|ingest] [--database embedded|postgres|both] [--seed 1]
// kill -9 of the whole server at a random moment of an answer or of an ingest, a restart on the same data, and then the invariants:
// the job ends, its events are 1..n without a gap and end once, the deltas after the last reset are the stored message, no chunk is
// missing or doubled, and nothing that was accepted is lost.
import { parseArgs } from 'node:util';
import { startPostgres } from '../../scripts/services.mjs';
import { Client } from '../../scripts/client.mjs';
import { ServerProcess } from '../support/server.mjs';
import { verifyDatabase } from './invariants.mjs';
import { manual } from './manual.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    only: { type: 'string' },
    database: { type: 'string', default: 'both' },
    seed: { type: 'string', default: '1' },
  },
});
const rounds = Number(options.rounds);
const random = generator(Number(options.seed));

/** The mulberry32 generator: a run can be repeated by its seed. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The events of a job from 1 to its end, checked: ids without a gap, exactly one terminal event, the last. */
async function wholeStory(client, jobId) {
  const events = [];
  for await (const event of client.events(jobId)) events.push(event);
  events.forEach((event, index) => {
    if (event.id !== index + 1) throw new Error(`job ${jobId}: event ${event.id} stands where ${index + 1} belongs`);
  });
  const ends = events.filter((e) => ['done', 'error', 'cancelled'].includes(e.event));
  if (ends.length !== 1 || ends[0] !== events.at(-1)) throw new Error(`job ${jobId}: ${ends.length} terminal events`);
  if (ends[0].event !== 'done') throw new Error(`job ${jobId} ended with ${ends[0].event}: ${JSON.stringify(ends[0].data)}`);
  return events;
}

/** How long an undisturbed one takes: kills are spread over that time. */
async function measured(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function killDuring(server, accept, spread) {
  const accepted = await accept();
  await new Promise((resolve) => setTimeout(resolve, random() * spread));
  await server.kill();
  await server.start();
  return accepted;
}

async function answers(server, client) {
  const uploaded = await client.upload('gearbox.md', manual(7, 12));
  await client.finish(uploaded.job.id);
  const ask = async () => {
    const session = await client.json('POST', '/api/v1/chat/sessions', { collections: ['default'] });
    const accepted = await client.json('POST', `/api/v1/chat/sessions/${session.id}/messages`, {
      content: 'How often must station 7 be greased?',
    });
    return { session, ...accepted };
  };
  const spread = await measured(async () => client.finish((await ask()).job.id));
  for (let round = 1; round <= rounds; round++) {
    const { session, answer, job } = await killDuring(server, ask, spread);
    const events = await wholeStory(client, job.id);
    const text = events.slice(events.findLastIndex((e) => e.event === 'reset') + 1).filter((e) => e.event === 'delta');
    const { data: messages } = await client.json('GET', `/api/v1/chat/sessions/${session.id}/messages`);
    const stored = messages.find((m) => m.id === answer.id);
    if (messages.length !== 2 || stored?.status !== 'complete')
      throw new Error(`round ${round}: the session holds ${JSON.stringify(messages)}`);
    if (stored.content !== text.map((e) => e.data.text).join('')) throw new Error(`round ${round}: the deltas are not the stored message`);
    progress('answer', round, events);
  }
}

async function ingests(server, client) {
  let number = 0;
  const upload = async () => client.upload(`manual-${++number}.md`, manual(number, 40));
  const spread = await measured(async () => client.finish((await upload()).job.id));
  for (let round = 1; round <= rounds; round++) {
    const { document, job } = await killDuring(server, upload, spread);
    const events = await wholeStory(client, job.id);
    const stored = await client.json('GET', `/api/v1/documents/${document.id}`);
    if (stored.status !== 'ready' || stored.chunks < 5) throw new Error(`round ${round}: the document is ${JSON.stringify(stored)}`);
    progress('ingest', round, events);
  }
}

function progress(kind, round, events) {
  const attempts = events.filter((e) => e.event === 'started').length;
  process.stdout.write(`  ${kind} ${round}/${rounds}: ${events.length} events, ${attempts} attempt(s)\n`);
}

async function run(database, kind, work) {
  const postgres = database === 'postgres' ? await startPostgres() : undefined;
  const server = new ServerProcess({ environment: postgres === undefined ? {} : { DATABASE_URL: postgres.url } });
  try {
    await server.start();
    const client = new Client(server.url);
    await client.register('faults@example.org', 'a long enough password');
    // An access token lives for 15 minutes, a run may take longer.
    const key = await client.json('POST', '/api/v1/auth/keys', {
      name: 'faults',
      scopes: ['chat', 'documents:read', 'documents:write', 'jobs:read', 'jobs:write'],
    });
    client.token = key.secret;
    await work(server, client);
    await server.stop();
    const counted = await verifyDatabase(server.directory, postgres?.url);
    process.stdout.write(`${kind} on ${database}: ${rounds} kills, all finished; ${JSON.stringify(counted)}\n`);
    server.remove();
  } catch (error) {
    process.stderr.write(`${server.log.slice(-6000)}\n`);
    throw error;
  } finally {
    if (server.child?.exitCode === null && server.child.signalCode === null) await server.kill();
    await postgres?.stop();
  }
}

let passed = 0;
for (const database of options.database === 'both' ? ['embedded', 'postgres'] : [options.database]) {
  for (const [kind, work] of Object.entries({ answer: answers, ingest: ingests })) {
    if (options.only !== undefined && options.only !== kind) continue;
    await run(database, kind, work);
    passed += rounds;
  }
}
process.stdout.write(`${passed} passed, 0 failed\n`);
