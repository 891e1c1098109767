import { isDeepStrictEqual } from 'node:util';
import { broken } from './jobs.mjs';

/** Within this long after a cancel was acknowledged the model says nothing more. */
const STOPPED_MS = 2_000;

export const answers = [
  {
    invariant: 'I16',
    says: 'a reader that resumed has seen every event once and in order',
    async check({ query, reads }) {
      const rows = await query(`SELECT job_id, seq, event, data FROM job_events WHERE job_id = ANY($1::uuid[]) ORDER BY job_id, seq`, [
        [...reads.keys()],
      ]);
      const logs = Map.groupBy(rows, ({ job_id: id }) => id);
      return [...reads].flatMap(([job, seen]) => {
        const log = (logs.get(job) ?? []).map(({ seq, event, data }) => ({ id: seq, event, data }));
        const at = log.findIndex((entry, n) => !isDeepStrictEqual(entry, seen[n]));
        if (log.length === seen.length && at < 0) return [];
        return [`the reader of ${job} saw ${seen.length} of ${log.length} events, other ones from ${at < 0 ? log.length : at + 1} on`];
      });
    },
  },
  {
    invariant: 'I17',
    says: 'the deltas since the last reset are the stored answer',
    async check({ query }) {
      const rows = await query(
        `SELECT j.id, coalesce(m.content, r.output) AS stored, coalesce(string_agg(e.data ->> 'text', '' ORDER BY e.seq), '') AS told
         FROM jobs j LEFT JOIN chat_messages m ON m.job_id = j.id AND m.role = 'assistant' LEFT JOIN agent_runs r ON r.job_id = j.id
         LEFT JOIN job_events e ON e.job_id = j.id AND e.event = 'delta'
           AND e.seq > (SELECT coalesce(max(seq), 0) FROM job_events WHERE job_id = j.id AND event = 'reset')
         WHERE j.kind IN ('chat.answer', 'agents.run') AND j.status = 'succeeded' GROUP BY 1, 2`,
      );
      return rows
        .filter(({ stored, told }) => stored !== told)
        .map(({ id, stored, told }) => `${id} told ${told.length} of ${stored?.length} characters`);
    },
  },
  {
    invariant: 'I18',
    says: 'every log ends with exactly one done, error or cancelled, and has no gap',
    check: async (facts) => [
      ...(await broken(facts, 'event logs with a gap or a doubled number')),
      ...(await broken(facts, 'jobs without exactly one terminal event at the end')),
    ],
  },
  {
    invariant: 'I19',
    says: 'a reader that left loses nothing, and a cancel stops the model within two seconds',
    async check({ query, journal, generations }) {
      const left = journal.of('leave').map(({ value }) => value.job);
      const rows = await query(`SELECT id, status FROM jobs WHERE id = ANY($1::uuid[]) AND status <> 'succeeded'`, [left]);
      const cancelled = new Map(journal.of('cancel').flatMap(({ value, outcome, at }) => (outcome === 'ok' ? [[value.question, at]] : [])));
      const late = generations.filter(({ key, last }) => last > cancelled.get(key) + STOPPED_MS);
      return [
        ...rows.map(({ id, status }) => `the job ${id}, which nobody read to its end, ${status}`),
        ...late.map(({ key, last }) => `the model said something of ${key} ${Math.round(last - cancelled.get(key))} ms after the cancel`),
      ];
    },
  },
];
