import { broken } from './jobs.mjs';

export const documents = [
  {
    invariant: 'I3',
    says: 'each effect is there exactly once, however often it was tried',
    kind: 'doubled',
    async check(facts) {
      const calls = await facts.query(
        `SELECT run_id, call_id, count(*)::int AS count FROM agent_steps WHERE kind = 'tool' AND call_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1`,
      );
      return [
        ...(await broken(facts, 'documents whose chunks are not all there')),
        ...(await broken(facts, 'jobs that embedded again what they had written')),
        ...calls.map(({ run_id: run, call_id: call, count }) => `the tool call ${call} of run ${run} was recorded ${count} times`),
      ];
    },
  },
  {
    invariant: 'I10',
    says: 'the store holds exactly the vectors of the ledger',
    async check({ query }) {
      const found = [];
      for (const { id, physical_name: table } of await query(`SELECT id, physical_name FROM spaces WHERE store = 'pgvector'`)) {
        const rows = await query(
          `SELECT coalesce(p.physical_id, v.physical_id) AS id, p.vector, v.embedding::text AS stored
           FROM (SELECT physical_id, vector FROM points WHERE space_id = $1) p FULL JOIN ${table} v USING (physical_id)`,
          [id],
        );
        for (const { id: point, vector, stored } of rows) {
          if (vector === null || stored === null) found.push(`${point} is only in the ${vector === null ? 'store' : 'ledger'}`);
          else if (!sameNumbers(vector, stored)) found.push(`${point} has other numbers in the store than in the ledger`);
        }
      }
      return found;
    },
  },
  {
    invariant: 'I12',
    says: 'a deleted document is nowhere',
    async check({ query, journal }) {
      const deleted = journal.of('delete').flatMap(({ value, outcome }) => (outcome === 'ok' ? [value.document] : []));
      const rows = await query(
        `SELECT id, place FROM (
           SELECT id::text, 'the documents' AS place FROM documents UNION ALL SELECT document_id::text, 'the points' FROM points WHERE document_id IS NOT NULL
           UNION ALL SELECT split_part(key, '/', 2), 'the blobs' FROM blobs
           UNION ALL SELECT c ->> 'document_id', 'the citations' FROM chat_messages m, jsonb_array_elements(m.citations) c
         ) AS found WHERE id = ANY($1::text[])`,
        [deleted],
      );
      return rows.map(({ id, place }) => `the deleted document ${id} is among ${place}`);
    },
  },
  {
    invariant: 'I13',
    says: 'a failed ingest shows nothing',
    async check(facts) {
      const rows = await facts.query(
        `SELECT id, chunks FROM documents WHERE status = 'failed' AND (visible_version IS NOT NULL OR chunks > 0)`,
      );
      return [
        ...rows.map(({ id, chunks }) => `the failed document ${id} shows ${chunks} chunks`),
        ...(await broken(facts, 'points of no visible version')),
      ];
    },
  },
  {
    invariant: 'I25',
    says: 'what was acknowledged survives',
    kind: 'lost',
    async check({ query, journal }) {
      const deleted = new Set(journal.of('delete').map(({ value }) => value.document));
      const rows = await query(`SELECT d.external_id AS key, d.sha256, b.sha256 AS stored FROM documents d
        LEFT JOIN blobs b ON b.key = 'documents/' || d.id || '/' || d.content_version`);
      const known = new Map(rows.map((row) => [row.key, row]));
      const asked = new Set((await query(`SELECT content FROM chat_messages WHERE role = 'user'`)).map(({ content }) => content));
      const runs = new Set((await query(`SELECT input FROM agent_runs`)).map(({ input }) => input));
      const acknowledged = (op) => journal.of(op).filter(({ outcome }) => outcome === 'ok');
      const uploads = acknowledged('upload').filter(({ result }) => !deleted.has(result.document));
      return [
        ...uploads.flatMap(({ key, value }) => {
          const row = known.get(key);
          if (row === undefined) return [`the document ${key} is gone`];
          return row.sha256 === value.sha256 && row.stored === value.sha256 ? [] : [`the original of ${key} is not what was sent`];
        }),
        ...acknowledged('ask').flatMap(({ key }) => (asked.has(key) ? [] : [`the question ${key} is gone`])),
        ...acknowledged('run').flatMap(({ key }) => (runs.has(key) ? [] : [`the run ${key} is gone`])),
      ];
    },
  },
];

/** float32 little-endian against pgvector's text: the shortest decimals that are that number. */
function sameNumbers(bytes, text) {
  const stored = Float32Array.from(JSON.parse(text));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return stored.length * 4 === bytes.byteLength && stored.every((number, at) => number === view.getFloat32(at * 4, true));
}
