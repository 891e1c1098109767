// What must hold in the database whatever was killed when. Opens it with the built product's own code, after the server has stopped.
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { repository } from '../support/server.mjs';

/** Each answers the rows that break a rule: none may. */
export const BROKEN = {
  'jobs that did not end': `SELECT id, kind, status FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled')`,
  'jobs that failed': `SELECT id, kind, error FROM jobs WHERE status = 'failed'`,
  'messages still to be dispatched': `SELECT o.id FROM outbox o`,
  'event logs with a gap or a doubled number': `SELECT j.id FROM jobs j LEFT JOIN job_events e ON e.job_id = j.id GROUP BY j.id HAVING count(e.*) <> j.last_seq OR max(e.seq) <> j.last_seq OR min(e.seq) <> 1`,
  'jobs without exactly one terminal event at the end': `SELECT j.id FROM jobs j JOIN job_events e ON e.job_id = j.id AND e.event IN ('done', 'error', 'cancelled') GROUP BY j.id HAVING count(*) <> 1 OR max(e.seq) <> j.last_seq`,
  'documents that are not ready': `SELECT id, status FROM documents WHERE status <> 'ready' OR visible_version IS NULL`,
  'documents whose chunks are not all there': `SELECT d.id, d.chunks, count(p.*) AS found FROM documents d LEFT JOIN points p ON p.document_id = d.id AND p.kind = 'chunk' AND p.document_version = d.visible_version GROUP BY d.id HAVING count(p.*) <> d.chunks OR max(p.ordinal) - min(p.ordinal) + 1 <> count(p.*)`,
  'points of no visible version': `SELECT p.id FROM points p JOIN documents d ON d.id = p.document_id WHERE p.document_version IS DISTINCT FROM d.visible_version`,
  'replacements that are still to come': `SELECT document_id, version FROM document_replacements`,
  'batches of points that no job wants any more': `SELECT id FROM point_batches`,
  // An ingest embeds 8 points in one call, a batch of points 16; what an attempt had embedded but not written when it died is all that is done again.
  'jobs that embedded again what they had written': `SELECT j.id, j.kind, j.attempt, j.progress, count(u.*) AS calls FROM jobs j JOIN usage u ON u.job_id = j.id AND u.operation = 'embed' WHERE j.kind IN ('documents.ingest', 'points.embed') AND j.status = 'succeeded' GROUP BY j.id HAVING count(u.*) > ceil((j.progress ->> 'total')::numeric / CASE j.kind WHEN 'points.embed' THEN 16 ELSE 8 END) + j.attempt - 1`,
  'answers that are open': `SELECT id FROM chat_messages WHERE status NOT IN ('complete', 'cancelled', 'failed')`,
};

/** Throws naming the first broken rule; answers the counts of what was checked. */
export async function verifyDatabase(directory, url) {
  const { openSource } = createRequire(import.meta.url)(join(repository, 'dist/libs/backing/postgres'));
  const { source, embedded } = await openSource({ directory, database: { url, poolSize: 1, poolOverflow: 0, migrate: 'off' } });
  try {
    for (const [rule, query] of Object.entries(BROKEN)) {
      const rows = await source.query(query);
      if (rows.length > 0) throw new Error(`${rows.length} ${rule}: ${JSON.stringify(rows.slice(0, 3))}`);
    }
    await verifyVectors(source);
    await verifyBlobs(source, directory);
    const [counts] = await source.query(
      `SELECT (SELECT count(*)::int FROM jobs) AS jobs, (SELECT count(*)::int FROM job_events) AS events, (SELECT count(*)::int FROM points) AS points, (SELECT max(attempt) FROM jobs) AS attempts`,
    );
    return counts;
  } finally {
    await source.destroy();
    await embedded?.close();
  }
}

/** The store holds exactly the ledger's vectors. */
async function verifyVectors(source) {
  for (const { id, physical_name: table } of await source.query(`SELECT id, physical_name FROM spaces`)) {
    const rows = await source.query(
      `SELECT coalesce(p.physical_id, v.physical_id) AS id FROM (SELECT physical_id FROM points WHERE space_id = $1) p FULL JOIN ${table} v USING (physical_id) WHERE p.physical_id IS NULL OR v.physical_id IS NULL`,
      [id],
    );
    if (rows.length > 0) throw new Error(`${rows.length} vectors differ between the store and the ledger`);
  }
}

/** Each document has the blobs of what it shows and no other; what an upload that was cut off left is kept for an hour. */
async function verifyBlobs(source, directory) {
  const rows = await source.query(
    `SELECT 'documents/' || id || '/' || content_version AS key FROM documents UNION ALL SELECT 'texts/' || id || '/' || visible_version FROM documents`,
  );
  const cut = await source.query(`SELECT 'documents/' || document_id || '/' || content_version AS key FROM document_uploads`);
  const due = new Set(rows.map(({ key }) => key));
  const allowed = new Set(cut.map(({ key }) => key));
  const found = new Set(['documents', 'texts'].flatMap((kind) => keysOf(directory, kind)));
  const missing = [...due].filter((key) => !found.has(key));
  const orphans = [...found].filter((key) => !due.has(key) && !allowed.has(key));
  if (missing.length + orphans.length > 0) throw new Error(`blobs: missing ${missing.join(', ')}; of nobody ${orphans.join(', ')}`);
}

function keysOf(directory, kind) {
  const root = join(directory, 'blobs', kind);
  // Made with the first blob.
  if (!existsSync(root)) return [];
  return readdirSync(root).flatMap((id) => readdirSync(join(root, id)).map((version) => `${kind}/${id}/${version}`));
}
