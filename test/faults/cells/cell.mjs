// One cell: work begins, one flow comes to the point and stands there, the victim is struck, the flow goes on (if its process lives), and in the end everything
// that was promised must hold.
import { setTimeout as delay } from 'node:timers/promises';
import { commitAfter, publisherConfirm } from '../../support/wire-markers.ts';
import { violations } from '../checkers/index.mjs';
import { Workload } from './workload.mjs';

const REACHED_MS = 20_000;
const QUIET_MS = 60_000;
const POLL_MS = 50;
const FULL_MS = 5_000;
const STOP_MS = 2_000;

/**
 * Where the connection is cut inside an answer, between the server's act and the client's knowledge of it: the answer never arrives, and its connection ends.
 * By point and victim; `of` are the processes on whose connections it is waited for.
 */
const MARKED = {
  P2: { postgres: { marker: commitAfter('INSERT INTO documents'), of: ['api'] } },
  P5: { rabbitmq: { marker: publisherConfirm, of: ['api', 'worker1', 'worker2'] } },
  P12: { postgres: { marker: commitAfter('INSERT INTO points'), of: ['worker1', 'worker2'] } },
  P13: { postgres: { marker: commitAfter('WITH ended AS'), of: ['worker1', 'worker2'] } },
  Q0: { postgres: { marker: commitAfter('INSERT INTO chat_messages'), of: ['api'] } },
  Q6: { postgres: { marker: commitAfter('WITH ended AS'), of: ['worker1', 'worker2'] } },
};

/**
 * Answers { seconds, jobs, by: whose flow it was, violations }; `seconds` from the beginning of the fault until a question that is asked in that moment was
 * `accepted`, and until it was `answered`.
 */
export async function runCell({ point, victim, fault }, { rig, journal, reads, name, random, stopMs }) {
  const marked = fault === 'cut' ? MARKED[point]?.[victim] : undefined;
  const workload = new Workload({ rig, journal, reads, name, chat: point.startsWith('Q') });
  const reached = marked === undefined ? await atPoint(rig, point) : await atMarker(rig, victim, marked);
  const work = workload.run();
  // Its fault is thrown below.
  work.catch(() => undefined);
  const failed = work.then(() => new Promise(() => undefined));
  const hit = await Promise.race([reached(), failed]);
  await delay(random() * 20);
  const probing = probe(workload);
  probing.catch(() => undefined);
  const struck = victim === 'worker' ? workerOf(hit) : victim;
  // A process that was stopped could not stop its model: that holds for this cell's questions in every later judgement too.
  if (fault === 'stop' && rig.workers.includes(struck)) rig.paused.add(`${name} `);
  await strike(rig, { victim: struck, fault, stopMs });
  hit.go();
  const ended = await Promise.allSettled([work, probing]);
  await rig.board.disarm();
  if (rig.clocks !== undefined) await rig.shifted(struck, '+0');
  const open = await untilQuiet(rig, journal);
  const found = await violations(await factsOf(rig, { journal, reads }));
  for (const { reason } of ended)
    if (reason !== undefined) found.push({ invariant: 'I1', kind: 'lost', text: `a client gave up: ${reason.message}` });
  if (open !== undefined) found.push({ invariant: 'I8', text: `still there after ${QUIET_MS / 1_000} s: ${open}` });
  return { by: hit.name, jobs: workload.jobs.size, violations: found, seconds: ended[1].value ?? {} };
}

async function atPoint(rig, point) {
  await rig.board.arm({ point });
  return () => rig.board.hit(REACHED_MS);
}

async function atMarker(rig, victim, { marker, of }) {
  const proxies = of.map((name) => ({ name, proxy: rig.map.proxies[name][victim] }));
  const waits = proxies.map(({ name, proxy }) => proxy.marked(marker, 'reset', REACHED_MS).then(() => ({ name, go: () => undefined })));
  for (const wait of waits) wait.catch(() => undefined);
  return async () => {
    const hit = await Promise.any(waits);
    await Promise.all(proxies.map(({ proxy }) => proxy.clear()));
    return hit;
  };
}

const workerOf = ({ name }) => (name.startsWith('worker') ? name : 'worker1');

async function strike(rig, { victim, fault, stopMs }) {
  if (fault === 'kill') await rig.killed(victim);
  else if (fault === 'stop' && stopMs === undefined && rig.workers.includes(victim))
    await rig.stopped(victim, STOP_MS, () => rig.takenOver());
  else if (fault === 'stop') await rig.stopped(victim, stopMs ?? STOP_MS);
  else if (fault === 'cut') rig.cut(victim);
  else if (fault === 'full') await rig.filled(victim, FULL_MS);
  else await rig.shifted(victim, fault);
}

/** Until no job is open, nothing waits to be sent and what was deleted has gone. Answers what was still to come after a minute; undefined: nothing. */
async function untilQuiet(rig, journal) {
  const deadline = performance.now() + QUIET_MS;
  const deleted = journal.of('delete').flatMap(({ value, outcome }) => (outcome === 'ok' ? [value.document] : []));
  for (;;) {
    const [rows] = await rig.query(
      `SELECT (SELECT count(*)::int FROM jobs WHERE status IN ('queued', 'running', 'waiting')) AS jobs, (SELECT count(*)::int FROM outbox) AS outbox,
        (SELECT count(*)::int FROM points WHERE document_id::text = ANY($1)) AS "points of deleted documents",
        (SELECT count(*)::int FROM points p JOIN documents d ON d.id = p.document_id WHERE p.document_version IS DISTINCT FROM d.visible_version) AS "unseen points",
        (SELECT count(*)::int FROM blobs WHERE split_part(key, '/', 2) = ANY($1)) AS "blobs of deleted documents"`,
      [deleted],
    );
    const messages = (await rig.queues().catch(() => [{ name: 'the broker', messages: 1 }])).map(({ name, messages: count }) => [
      name,
      count,
    ]);
    const open = [...Object.entries(rows), ...messages].filter(([, count]) => count > 0);
    if (open.length === 0) return undefined;
    if (performance.now() > deadline) return open.map(([name, count]) => `${count} ${name}`).join(', ');
    await delay(POLL_MS);
  }
}

async function factsOf(rig, { journal, reads }) {
  return {
    query: (text, values) => rig.query(text, values),
    journal,
    reads,
    queues: await rig.queues(),
    generations: rig.generations().filter(({ key }) => ![...rig.paused].some((cell) => key.startsWith(cell))),
  };
}

async function probe(workload) {
  const from = performance.now();
  const { job } = await workload.ask(`${workload.name} question at the fault`);
  const accepted = (performance.now() - from) / 1_000;
  await workload.read(job);
  return { accepted, answered: (performance.now() - from) / 1_000 };
}
