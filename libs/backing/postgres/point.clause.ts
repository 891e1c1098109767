import sql, { type Sql } from 'sql-template-tag';

/** For `points p LEFT JOIN documents d ON d.id = p.document_id`: a user's point, or a chunk of the version that its document shows. */
export function visiblePoint(): Sql {
  return sql`(p.kind = 'point' OR (p.kind = 'chunk' AND d.visible_version = p.document_version))`;
}

/** What filters see of such a point: its own metadata, or its document's. */
export function pointMetadata(): Sql {
  return sql`coalesce(d.metadata, p.metadata)`;
}
