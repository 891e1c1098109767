/** Whoever asks may see the session `s`. */
const VISIBLE = `s.workspace_id = $workspaceId AND (s.owner_id = $userId OR s.visibility = 'workspace')`;
/** Chunks that the lineage tells of: those that searches see, and earlier ones that an answer cites which the asker may see. */
const TOLD = `MATCH (d:Document {id: $documentId})
  MATCH (c:Chunk {document_id: d.id})
  WITH c, CASE WHEN c.version = d.version THEN 0 ELSE 1 END AS past
  WHERE (past = 0 OR EXISTS { MATCH (c)<-[:CITES]-(:Answer)-[:IN]->(s:Session) WHERE ${VISIBLE} })`;

export const FILLED = `MATCH (f:Feed {key: $ledger}) WHERE f.fill IS NOT NULL RETURN f.fill AS fill, coalesce(f.complete, false) AS complete`;

export const VERSION = `MATCH (d:Document {id: $documentId}) WHERE d.workspace_id = $workspaceId RETURN d.version AS version`;

/** Where the chunk of a cursor stands. */
export const PLACE = `${TOLD} AND c.id = $after RETURN past, c.start AS start, c.end AS end`;

export const PAGE = `${TOLD}
    AND ($after IS NULL OR past > $past OR past = $past AND (c.start > $start OR c.start = $start AND (c.end > $end OR c.end = $end AND c.id > $after)))
  WITH c, past ORDER BY past, c.start, c.end, c.id LIMIT toInteger($limit)
  RETURN c.id AS id, past = 0 AS current, c.page AS page, c.start AS start, c.end AS end, COLLECT {
    MATCH (c)<-[r:CITES]-(a:Answer)-[:IN]->(s:Session) WHERE ${VISIBLE}
    RETURN {id: a.id, sessionId: s.id, index: r.index, createdAt: a.created_at} ORDER BY a.id DESC, r.index LIMIT toInteger($answers)
  } AS answers
  ORDER BY past, start, end, id`;
