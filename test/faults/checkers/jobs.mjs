import { BROKEN } from '../invariants.mjs';

/** The rows of a rule of `invariants.mjs`, as sentences. */
export async function broken({ query }, rule) {
  return (await query(BROKEN[rule])).map((row) => `${rule}: ${JSON.stringify(row)}`);
}

/** What the triggers of `watch.mjs` wrote down. */
async function watched({ query }, rule) {
  const rows = await query(`SELECT job_id, says FROM fault_watch WHERE rule = $1`, [rule]);
  return rows.map(({ job_id, says }) => `${job_id}: ${says}`);
}

/** Jobs whose acceptance a client heard, with the operation that asked for them. */
const accepted = (journal) =>
  ['upload', 'ask', 'run'].flatMap((op) =>
    journal.of(op).flatMap(({ key, outcome, result }) => (outcome === 'ok' && result?.job ? [{ op, key, job: result.job }] : [])),
  );

export const jobs = [
  {
    invariant: 'I1',
    says: 'what was accepted reaches exactly one terminal state',
    kind: 'lost',
    async check(facts) {
      const known = new Map((await facts.query(`SELECT id, status FROM jobs`)).map(({ id, status }) => [id, status]));
      const lost = accepted(facts.journal).filter(({ job }) => !known.has(job));
      return [
        ...lost.map(({ op, key, job }) => `the job ${job} of ${op} ${key} is not there`),
        ...(await broken(facts, 'jobs that did not end')),
      ];
    },
  },
  { invariant: 'I2', says: 'a terminal state never changes', check: (facts) => watched(facts, 'I2') },
  { invariant: 'I4', says: 'no job runs under two valid leases', check: (facts) => watched(facts, 'I4') },
  {
    invariant: 'I5',
    says: 'nothing is committed after the cancel',
    async check(facts) {
      const rows = await facts.query(
        `SELECT j.id, m.status FROM jobs j JOIN chat_messages m ON m.job_id = j.id AND m.role = 'assistant' WHERE j.status = 'cancelled' AND m.status <> 'cancelled'`,
      );
      return [...(await watched(facts, 'I5')), ...rows.map(({ id, status }) => `the answer of the cancelled job ${id} is ${status}`)];
    },
  },
  {
    invariant: 'I6',
    says: 'what was refused has not happened, and what was accepted happened once, under its key',
    kind: 'doubled',
    async check({ query, journal }) {
      const found = [];
      for (const [op, text] of Object.entries(EFFECTS)) {
        const counts = new Map((await query(text)).map(({ key, count }) => [key, Number(count)]));
        for (const { key, outcome } of journal.of(op)) {
          const count = counts.get(key) ?? 0;
          if (outcome === 'fail' && count > 0) found.push(`${op} ${key} was refused and is there ${count} times`);
          if (count > 1) found.push(`${op} ${key} is there ${count} times`);
        }
      }
      return found;
    },
  },
  {
    invariant: 'I7',
    says: 'tries end at the limit, with the reason; poison blocks nobody',
    async check({ query, journal }) {
      // A try whose answer was lost may have had a job of its own.
      const poison = new Set(journal.of('upload').flatMap(({ value, result }) => (value?.poison ? [result?.document] : [])));
      const over = await query(`SELECT id, attempt, max_attempts FROM jobs WHERE attempt > max_attempts`);
      const failed = await query(`SELECT id, kind, error, subject_id FROM jobs WHERE status = 'failed'`);
      const without = failed.filter(({ error }) => !error?.code || !error?.message);
      return [
        ...over.map(({ id, attempt, max_attempts: most }) => `job ${id} had ${attempt} of ${most} attempts`),
        ...without.map(({ id }) => `job ${id} failed without a reason`),
        ...failed
          .filter(({ subject_id: subject }) => !poison.has(subject))
          .map(({ id, kind, error }) => `${kind} ${id} failed: ${JSON.stringify(error)}`),
      ];
    },
  },
  {
    invariant: 'I8',
    says: 'the outbox and the queues drain',
    async check({ query, queues }) {
      const rows = await query(`SELECT id, job_id FROM outbox`);
      return [
        ...rows.map(({ job_id: job }) => `the message of job ${job} is still in the outbox`),
        ...queues.filter(({ messages }) => messages > 0).map(({ name, messages }) => `${messages} messages are left in ${name}`),
      ];
    },
  },
];

/** How often the effect of a key is there: `key`, `count`. */
const EFFECTS = {
  upload: `SELECT external_id AS key, count(*) AS count FROM documents WHERE external_id IS NOT NULL GROUP BY 1`,
  ask: `SELECT content AS key, count(*) AS count FROM chat_messages WHERE role = 'user' GROUP BY 1`,
  run: `SELECT input AS key, count(*) AS count FROM agent_runs GROUP BY 1`,
};
