// npm run faults:services -- [--victims redis,rabbitmq,…] [--rate 50] [--seconds 8] [--rounds 1]
// kill -9 and restart of each backing service under mixed traffic over the public API. For each victim: no acknowledged write is lost, what does
// not need the victim does not notice, and the victim is `up` again without a restart of ours. Prints a table; exits 1 when an invariant broke.
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '../../scripts/client.mjs';
import { FullMap } from './services/map.mjs';
import { DIMENSIONS, Traffic } from './services/traffic.mjs';
import { verdict } from './services/verdict.mjs';

const STORES = ['pgvector', 'chroma', 'qdrant', 'faiss'];
const VICTIMS = ['redis', 'rabbitmq', 'neo4j', 'consul', 'chroma', 'qdrant', 'faiss', 'ollama', 'postgres'];
/** Seconds within which a service that is back must be `up` again. */
const HEALED_SECONDS = { rabbitmq: 10 };
const HEALED_USUALLY = 5;
const AWAY_MS = 4_000;
const POLL_MS = 50;
/** How often a kill is repeated of which only the speed was wrong: what is slow each time is slow. */
const MOST_KILLS = 3;

const { values: options } = parseArgs({
  options: {
    victims: { type: 'string', default: VICTIMS.join(',') },
    rate: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '1' },
  },
});
const victims = options.victims.split(',');
const unknown = victims.find((name) => !VICTIMS.includes(name));
if (unknown !== undefined) throw new Error(`--victims ${unknown}: one of ${VICTIMS.join(', ')}`);

const map = await FullMap.start([...new Set(['postgres', ...victims])]);
let broken = 0;
try {
  const stores = STORES.filter((store) => store === 'pgvector' || map.servers[store] !== undefined);
  const { client, documentId } = await populate(stores);
  const lineageOf = map.servers.neo4j === undefined ? undefined : documentId;
  const traffic = new Traffic({ url: map.api.url, token: client.token, stores, lineageOf, perSecond: Number(options.rate) });
  traffic.start();
  // The first requests load what later ones find loaded.
  await delay(10_000);
  for (let round = 1; round <= Number(options.rounds); round++) for (const victim of victims) broken += await judged(victim, traffic);
  await traffic.stop();
  broken += await nothingLost(client, traffic);
} catch (error) {
  process.stderr.write(`${map.api?.log.slice(-3000)}\n${map.worker?.log.slice(-3000) ?? ''}\n`);
  throw error;
} finally {
  await map.stop();
}
process.stdout.write(`${victims.length * Number(options.rounds)} kills, ${broken} broken\n`);
process.exitCode = broken === 0 ? 0 : 1;

/** An account, a collection in each store, one for texts, and a document. */
async function populate(stores) {
  const client = new Client(map.api.url);
  await client.register('faults@example.org', 'a long enough password');
  const scopes = ['chat', 'documents:read', 'documents:write', 'vectors:read', 'vectors:write', 'jobs:read', 'models:read'];
  const { secret } = await client.json('POST', '/api/v1/auth/keys', { name: 'faults', scopes });
  client.token = secret;
  for (const store of stores)
    await client.json('POST', '/api/v1/vectors/collections', { name: `faults-${store}`, store, dimensions: DIMENSIONS });
  await client.json('POST', '/api/v1/vectors/collections', { name: 'faults-texts' });
  const { document, job } = await client.upload('ferry.txt', 'The ferry to Grey Point leaves at half past eight every day.');
  await client.finish(job.id);
  return { client, documentId: document.id };
}

/** Answers how many invariants broke. What breaks one breaks it at the first kill; a machine that was busy meanwhile is asked again. */
async function judged(victim, traffic) {
  for (let kills = 1; ; kills++) {
    const { faults, slow } = await killed(victim, traffic);
    if (faults.length > 0 || slow.length === 0) return faults.length + slow.length;
    if (kills === MOST_KILLS) {
      process.stdout.write(`${victim} | BROKEN ${MOST_KILLS} times of ${MOST_KILLS}: ${slow.join('; ')}\n`);
      return slow.length;
    }
  }
}

/** One kill of one service: a calm stretch, the time without it, the time until it is `up` again, and a stretch after. */
async function killed(victim, traffic) {
  const server = map.servers[victim];
  const calmFrom = performance.now();
  await delay(Number(options.seconds) * 1_000);
  const killedAt = performance.now();
  await server.kill();
  await delay(AWAY_MS);
  const startedAt = performance.now();
  await server.restart();
  const answeredAt = performance.now();
  const healedAt = await untilUp(victim, answeredAt + 60_000);
  await delay(2_000);
  const calm = traffic.between(calmFrom, killedAt);
  const away = traffic.between(killedAt, startedAt);
  const returning = traffic.between(startedAt, healedAt);
  const seconds = (healedAt - answeredAt) / 1_000;
  return verdict({ victim, calm, away, returning, seconds, allowed: HEALED_SECONDS[victim] ?? HEALED_USUALLY });
}

/** Without a restart of ours; `/health/detailed` is open on a loopback server. */
async function untilUp(victim, deadline) {
  for (;;) {
    const answer = await fetch(`${map.api.url}/health/detailed`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    const { services = [] } = answer?.ok ? await answer.json() : {};
    if (services.find(({ name }) => name === victim)?.status === 'up') return performance.now();
    if (performance.now() > deadline) throw new Error(`${victim} was not up again within 60 s: ${JSON.stringify(services)}`);
    await delay(POLL_MS);
  }
}

/** Every acknowledged point is in the ledger with its vector and is found by its own store, and every accepted job has ended well. */
async function nothingLost(client, traffic) {
  let lost = 0;
  for (const [store, points] of traffic.acknowledged) {
    const path = `/api/v1/vectors/collections/faults-${store}`;
    for (const { id, vector } of points) {
      const { data } = await client.json('POST', `${path}/search`, { vector, limit: 1, include: ['vector'] });
      if (data[0]?.id !== id) lost += 1;
    }
    process.stdout.write(`${store}: ${points.length} acknowledged writes, ${lost} lost\n`);
  }
  const ends = await Promise.all(traffic.jobs.map((id) => ended(client, id)));
  const unended = ends.filter((status) => status !== 'succeeded').length;
  process.stdout.write(`jobs: ${traffic.jobs.length} accepted, ${unended} not done\n`);
  return lost + unended;
}

async function ended(client, id) {
  for (let tries = 0; tries < 1_200; tries++) {
    const { status } = await client.json('GET', `/api/v1/jobs/${id}`);
    if (['succeeded', 'failed', 'cancelled'].includes(status)) return status;
    await delay(POLL_MS);
  }
  return 'open';
}
