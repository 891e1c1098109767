import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';

const ENDED_MS = 120_000;

/** What the database holds of jobs, for comparing it with what clients were told. */
export class Logs {
  constructor(url) {
    this.pool = new pg.Pool({ connectionString: url, max: 2 });
  }

  close() {
    return this.pool.end();
  }

  /**
   * Faults of what a follower has against the database: `gaps` (events that it has not), `doubled` (that it has twice), `reordered`, `other` (an event that is
   * not the stored one), `text` (the deltas after the last reset are not the stored message).
   */
  async compare({ jobId, events }) {
    const { rows } = await this.pool.query('SELECT seq, event, data FROM job_events WHERE job_id = $1 ORDER BY seq', [jobId]);
    const seen = new Set(events.map(({ id }) => id));
    const stored = new Map(rows.map((row) => [row.seq, row]));
    const at = events.findLastIndex(({ event }) => event === 'reset');
    const text = events
      .slice(at + 1)
      .filter(({ event }) => event === 'delta')
      .map(({ data }) => data.text)
      .join('');
    const { rows: answers } = await this.pool.query(`SELECT content FROM chat_messages WHERE job_id = $1 AND role = 'assistant'`, [jobId]);
    return {
      gaps: rows.filter(({ seq }) => !seen.has(seq)).length,
      doubled: events.length - seen.size,
      reordered: events.filter(({ id }, n) => n > 0 && id < events[n - 1].id).length,
      other: events.filter(({ id, event, data }) => {
        const row = stored.get(id);
        return row?.event !== event || !isDeepStrictEqual(row.data, data);
      }).length,
      text: answers.length === 1 && answers[0].content === text && text !== '' ? 0 : 1,
    };
  }

  /** Throws when some of all jobs have not ended within two minutes; answers those that did not succeed, and those that used up an attempt by it. */
  async ended() {
    const deadline = performance.now() + ENDED_MS;
    for (;;) {
      const { rows } = await this.pool.query(
        `SELECT count(*) FILTER (WHERE status NOT IN ('succeeded', 'failed', 'cancelled'))::int AS open,
           count(*) FILTER (WHERE status IN ('failed', 'cancelled'))::int AS failed, count(*) FILTER (WHERE attempt > 1)::int AS again,
           count(*)::int AS jobs, (SELECT count(DISTINCT job_id)::int FROM job_events WHERE event = 'reset') AS reset FROM jobs`,
      );
      if (rows[0].open === 0) return rows[0];
      if (performance.now() > deadline) throw new Error(`After ${ENDED_MS / 1_000} s ${rows[0].open} jobs are open.`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Of these jobs, those that are not there or did not succeed. */
  async lost(ids) {
    const { rows } = await this.pool.query(`SELECT id FROM jobs WHERE id = ANY($1::uuid[]) AND status = 'succeeded'`, [ids]);
    return ids.length - rows.length;
  }
}
