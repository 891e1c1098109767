import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

const ENDED_MS = 180_000;

/** What the database says of the jobs of a soak, over connections of its own. */
export class Ledger {
  constructor(url) {
    this.client = new pg.Pool({ connectionString: url, max: 2 });
    // Its server is killed as well.
    this.client.on('error', () => undefined);
  }

  close() {
    return this.client.end();
  }

  /** The monotonic clock (ms) when a job had ended that was accepted after `at` (the wall clock in ms). */
  async firstEnd(at) {
    const deadline = performance.now() + ENDED_MS;
    while (performance.now() < deadline) {
      const { rowCount } = await this.client.query(`SELECT 1 FROM jobs WHERE created_at > $1 AND status = 'succeeded' LIMIT 1`, [
        new Date(at),
      ]);
      if (rowCount > 0) return performance.now();
      await delay(30);
    }
    throw new Error('No job ended within three minutes.');
  }

  /** Throws when some have not ended within three minutes. */
  async untilEnded() {
    const deadline = performance.now() + ENDED_MS;
    for (;;) {
      const { rows } = await this.client.query(
        `SELECT status, count(*)::int AS count FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled') GROUP BY 1`,
      );
      if (rows.length === 0) return;
      if (performance.now() > deadline) throw new Error(`After ${ENDED_MS / 1_000} s there are open jobs: ${JSON.stringify(rows)}`);
      await delay(200);
    }
  }

  /** `lost`: accepted jobs that are not there or did not succeed, and effects that are not there; `doubled`: effects that are there twice. */
  async compare(load) {
    const { rows: known } = await this.client.query(`SELECT id, status FROM jobs`);
    const status = new Map(known.map((row) => [row.id, row.status]));
    let lost = [...load.jobs.values()].filter((id) => status.get(id) !== 'succeeded').length;
    const { rows: points } = await this.client.query(`SELECT id, text FROM points WHERE document_id IS NULL`);
    const texts = new Map(points.map((row) => [row.id, row.text]));
    lost += [...load.texts].filter(([id, text]) => texts.get(id) !== text).length;
    const { rows: answers } = await this.client.query(
      `SELECT session_id AS id, count(*) FILTER (WHERE role = 'assistant' AND status = 'complete')::int AS answers, count(*) FILTER (WHERE role = 'user')::int AS questions FROM chat_messages GROUP BY 1`,
    );
    const sessions = new Map(answers.map((row) => [row.id, row]));
    let doubled = points.length - texts.size;
    for (const id of load.sessions.keys()) {
      const { answers: complete = 0, questions = 0 } = sessions.get(id) ?? {};
      if (complete < 1) lost += 1;
      // One answer for each question, however many attempts.
      if (complete > questions) doubled += 1;
    }
    return { lost, doubled, jobs: known.length };
  }

  /** Of the jobs that were at work when the worker was killed: how many, and the most seconds from the kill to the attempt that took one over. */
  async takeovers(kills) {
    const taken = { jobs: 0, slowest: 0 };
    for (const { victim, at } of kills) {
      if (victim !== 'worker') continue;
      const { rows } = await this.client.query(
        `SELECT count(*)::int AS jobs, coalesce(max(extract(epoch FROM next.created_at - $1::timestamptz)), 0)::float8 AS seconds
         FROM (SELECT DISTINCT ON (job_id) job_id, seq, event FROM job_events WHERE created_at < $1::timestamptz ORDER BY job_id, seq DESC) AS last
         CROSS JOIN LATERAL (
           SELECT event, created_at FROM job_events WHERE job_id = last.job_id AND seq > last.seq ORDER BY seq LIMIT 1
         ) AS next
         WHERE last.event NOT IN ('accepted', 'queued') AND next.event = 'reset'`,
        [new Date(at)],
      );
      taken.jobs += rows[0].jobs;
      taken.slowest = Math.max(taken.slowest, rows[0].seconds);
    }
    return taken;
  }
}
