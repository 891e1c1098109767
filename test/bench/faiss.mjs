// npm run bench:faiss [-- KILLS]: FAISS in its child process: time of a search among 20,000 × 384, writes acknowledged while the child is killed again
// and again, and the end of a child that has grown by what faiss-node never frees. Fails when one acknowledged write is lost or one call has an error.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureFaiss } from '../../scripts/services/faiss.mjs';
import { ROOT, exitWith } from '../../scripts/toolchain/process.mjs';

const require = createRequire(join(ROOT, 'package.json'));
const { FaissClient, FaissStore } = require(join(ROOT, 'dist/libs/backing/faiss/index.js'));
const { Logger } = require('@nestjs/common');
const { parseConfig } = require(join(ROOT, 'dist/libs/kernel/config/index.js'));
const [COUNT, DIMENSIONS, WRITERS, MOST_LEAKING] = [20_000, 384, 4, 60_000];
const collection = randomUUID();
const say = (line) => process.stdout.write(`${line}\n`);

Logger.overrideLogger(false);

await exitWith(async () => {
  const kills = Number(process.argv[2] ?? 25);
  const directory = mkdtempSync(join(tmpdir(), 'sutazai-bench-faiss-'));
  const client = new FaissClient(parseConfig({ DATA_DIR: directory, FAISS_BINDING: await ensureFaiss(), LOG_LEVEL: 'silent' }));
  const store = new FaissStore(client);
  try {
    await searchTimes(client, store);
    const lost = await killSoak(client, store, kills);
    const faults = await recycling(client, store);
    return lost + faults === 0 ? 0 : 1;
  } finally {
    await client.onApplicationShutdown();
    rmSync(directory, { recursive: true, force: true });
  }
});

async function searchTimes(client, store) {
  const space = spaceOf('cosine', DIMENSIONS);
  await store.ensureSpace(space);
  const written = performance.now();
  for (let at = 0; at < COUNT; at += 1_000) await store.upsert(space, points(1_000, DIMENSIONS));
  const upsertMs = performance.now() - written;
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${client.childPid}/status`, 'utf8'))?.[1]) / 1_024;
  const scanned = await times(store, space, 40);
  // FAISS's copy is filled between requests: as soon as it is, searches are its own.
  await delay(8_000);
  const searched = await times(store, space, 300);
  say(`${COUNT} x ${DIMENSIONS} cosine: upsert ${(upsertMs / 1_000).toFixed(2)} s in batches of 1,000, each fsynced`);
  say(
    `search p50 ${searched.p50} ms, p95 ${searched.p95} ms (right after the writes p50 ${scanned.p50} ms); ${resident().toFixed(0)} MB resident`,
  );
  const before = client.childPid;
  process.kill(before, 'SIGKILL');
  const died = performance.now();
  await store.search(space, [collection], vector(DIMENSIONS), 10);
  say(`answer after kill -9 with ${COUNT} vectors: ${(performance.now() - died).toFixed(0)} ms`);
}

async function times(store, space, count) {
  const taken = [];
  for (let at = 0; at < count; at += 1) {
    const query = vector(DIMENSIONS);
    const asked = performance.now();
    await store.search(space, [collection], query, 10);
    taken.push(performance.now() - asked);
  }
  taken.sort((left, right) => left - right);
  const at = (share) => taken[Math.floor(taken.length * share)].toFixed(1);
  return { p50: at(0.5), p95: at(0.95) };
}

/** Answers the number of acknowledged writes that are lost, deletes undone and calls that failed. */
async function killSoak(client, store, kills) {
  const space = spaceOf('l2', 64);
  await store.ensureSpace(space);
  const [kept, gone, errors] = [new Set(), [], []];
  let going = true;
  const writers = Array.from({ length: WRITERS }, async () => {
    while (going) {
      const batch = points(5, 64);
      try {
        await store.upsert(space, batch);
        await store.delete(space, [batch[0].physicalId]);
        for (const { physicalId } of batch.slice(1)) kept.add(physicalId);
        gone.push(batch[0].physicalId);
      } catch (error) {
        errors.push(error);
        await delay(20);
      }
    }
  });
  for (let kill = 0; kill < kills; kill += 1) {
    const pid = await running(client);
    await delay(200 + Math.random() * 400);
    process.kill(pid, 'SIGKILL');
    await running(client, pid);
  }
  going = false;
  await Promise.all(writers);
  const there = new Set();
  for (const limit = 10_000; ; ) {
    const hits = await store.search(space, [collection], vector(64), limit);
    hits.forEach(({ physicalId }) => there.add(physicalId));
    if (hits.length === 0) break;
    // More than one answer holds: those that are known leave, and the rest is asked for.
    await store.delete(
      space,
      hits.map(({ physicalId }) => physicalId),
    );
  }
  const lost = [...kept].filter((id) => !there.has(id)).length;
  const undone = gone.filter((id) => there.has(id)).length;
  say(
    `${kills} x kill -9 while ${WRITERS} write: ${kept.size} vectors acknowledged, ${lost} lost; ${gone.length} deletes, ${undone} undone; ${errors.length} calls failed`,
  );
  for (const error of errors.slice(0, 3)) say(`  ${error.message}`);
  return lost + undone + errors.length;
}

/** Searches until the child that serves them has ended by itself for its memory. */
async function recycling(client, store) {
  const space = spaceOf('dot', 4_096);
  await store.ensureSpace(space);
  await store.upsert(space, points(4, 4_096));
  await delay(500);
  const before = client.childPid;
  let [searches, errors] = [0, 0];
  while (client.childPid === before && searches < MOST_LEAKING) {
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => store.search(space, [collection], vector(4_096), 1)));
    searches += answers.length;
    errors += answers.filter(({ status }) => status === 'rejected').length;
  }
  const after = await store.search(space, [collection], vector(4_096), 4);
  const anew = client.childPid !== before;
  say(
    `${searches} searches of 4,096 numbers: ${anew ? 'begun anew' : 'NOT begun anew'}, ${errors} calls failed, ${after.length} of 4 vectors there`,
  );
  return errors + (anew && after.length === 4 ? 0 : 1);
}

async function running(client, not) {
  while (client.childPid === undefined || client.childPid === not) await delay(10);
  return client.childPid;
}

function spaceOf(metric, dimensions) {
  const id = randomUUID();
  return { id, store: 'faiss', model: null, dimensions, metric, version: 1, physicalName: `bench_${metric}_${dimensions}` };
}

function vector(dimensions) {
  return Float32Array.from({ length: dimensions }, () => Math.random() - 0.5);
}

function points(count, dimensions) {
  return Array.from({ length: count }, () => ({ physicalId: randomUUID(), collectionId: collection, vector: vector(dimensions) }));
}
