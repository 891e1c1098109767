/** A change is refused by what is newer in the same fill. */
const newest = (node: string): string => `(${node} IS NULL OR ${node}.fill IS NULL OR ${node}.fill <> $fill OR ${node}.seq <= row.seq)`;
/** What is gone stays so until something newer says otherwise; the tombstone then goes. */
const LIVING = `OPTIONAL MATCH (t:Gone {id: row.id}) WITH row, t WHERE t IS NULL OR t.fill <> $fill OR t.seq < row.seq DELETE t WITH row`;
const SEAL = 'toInteger(row.seq)';
const CITED_ALIVE = `OPTIONAL MATCH (t:Gone {id: cited.documentId}) WITH a, cited, t WHERE t IS NULL OR t.fill <> $fill`;

/** Each key once, and what the questions look for. */
export const SCHEMA = [
  ...['Workspace', 'Collection', 'Document', 'Chunk', 'Session', 'Answer', 'Gone'].map(
    (label) => `CREATE CONSTRAINT lineage_${label.toLowerCase()} IF NOT EXISTS FOR (n:${label}) REQUIRE n.id IS UNIQUE`,
  ),
  `CREATE CONSTRAINT lineage_feed IF NOT EXISTS FOR (n:Feed) REQUIRE n.key IS UNIQUE`,
  `CREATE INDEX lineage_chunk_document IF NOT EXISTS FOR (n:Chunk) ON (n.document_id)`,
  `CREATE INDEX lineage_gone_at IF NOT EXISTS FOR (n:Gone) ON (n.at)`,
];

/** Takes the lock that every change holds: changes of several processes come one after the other. */
export const HOLD = `MATCH (f:Feed {key: $ledger}) SET f.turn = coalesce(f.turn, 0) + 1 RETURN f.fill AS fill`;
export const BEGIN = `MERGE (f:Feed {key: $ledger}) SET f.fill = $fill, f.complete = false`;
export const COMPLETE = `MATCH (f:Feed {key: $ledger, fill: $fill}) SET f.complete = true`;

export const COLLECTIONS = `UNWIND $rows AS row ${LIVING}
  MERGE (c:Collection {id: row.id}) WITH row, c WHERE ${newest('c')}
  SET c.seq = ${SEAL}, c.fill = $fill, c.ledger = $ledger, c.name = row.name, c.workspace_id = row.workspaceId
  MERGE (w:Workspace {id: row.workspaceId}) MERGE (w)-[:HOLDS]->(c)`;

export const CHUNKS = `UNWIND $rows AS row
  OPTIONAL MATCH (t:Gone {id: row.documentId}) WITH row, t WHERE t IS NULL OR t.fill <> $fill OR t.seq < row.seq
  OPTIONAL MATCH (d:Document {id: row.documentId}) WITH row, d WHERE ${newest('d')}
  MERGE (c:Chunk {id: row.id})
  SET c.document_id = row.documentId, c.version = toInteger(row.version), c.page = toInteger(row.page), c.start = toInteger(row.start), c.end = toInteger(row.end)`;

export const DOCUMENTS = `UNWIND $rows AS row ${LIVING}
  MERGE (d:Document {id: row.id}) WITH row, d WHERE ${newest('d')}
  SET d.seq = ${SEAL}, d.fill = $fill, d.ledger = $ledger, d.name = row.name, d.workspace_id = row.workspaceId, d.version = toInteger(row.version)
  MERGE (c:Collection {id: row.collectionId}) ON CREATE SET c.workspace_id = row.workspaceId
  MERGE (w:Workspace {id: row.workspaceId}) MERGE (w)-[:HOLDS]->(c) MERGE (c)-[:HOLDS]->(d)`;

/** The chunks of a document hang on it; those of earlier versions stay as long as an answer cites them. */
export const CHUNKS_OF_DOCUMENTS = [
  `UNWIND $rows AS row MATCH (d:Document {id: row.id}) MATCH (c:Chunk {document_id: d.id})
   WHERE (c.version IS NULL OR c.version <> d.version) AND NOT (c)<-[:CITES]-() DETACH DELETE c`,
  `UNWIND $rows AS row MATCH (d:Document {id: row.id}) MATCH (c:Chunk {document_id: d.id}) MERGE (d)-[:HAS]->(c)`,
];

/** First the old citations go, so that the same answer may be told again. */
export const ANSWERS = [
  `UNWIND $rows AS row MATCH (a:Answer {id: row.id})-[r:CITES]->(c:Chunk) WHERE ${newest('a')} SET c:Loose DELETE r`,
  `UNWIND $rows AS row ${LIVING}
   MERGE (a:Answer {id: row.id}) WITH row, a WHERE ${newest('a')}
   SET a.seq = ${SEAL}, a.fill = $fill, a.ledger = $ledger, a.created_at = row.createdAt
   MERGE (s:Session {id: row.sessionId}) MERGE (a)-[:IN]->(s)
   WITH row, a UNWIND row.citations AS cited ${CITED_ALIVE}
   MERGE (c:Chunk {id: cited.chunkId})
   ON CREATE SET c.document_id = cited.documentId, c.page = toInteger(cited.page), c.start = toInteger(cited.start), c.end = toInteger(cited.end)
   MERGE (a)-[:CITES {index: toInteger(cited.index)}]->(c)
   WITH c MATCH (d:Document {id: c.document_id}) MERGE (d)-[:HAS]->(c)`,
];

export const SESSIONS = `UNWIND $rows AS row MATCH (s:Session {id: row.id}) WHERE ${newest('s')}
  SET s.seq = ${SEAL}, s.fill = $fill, s.workspace_id = row.workspaceId, s.owner_id = row.ownerId, s.visibility = row.visibility`;

const goneOf = (label: string): string => `UNWIND $rows AS row OPTIONAL MATCH (n:${label} {id: row.id}) WITH row, n WHERE ${newest('n')}
  MERGE (t:Gone {id: row.id}) SET t.fill = $fill, t.seq = ${SEAL}, t.at = timestamp() WITH n WHERE n IS NOT NULL`;

/** What each kind takes with it. */
export const GONE = {
  collection: [
    `${goneOf('Collection')} OPTIONAL MATCH (w:Workspace)-[:HOLDS]->(n) DETACH DELETE n
     WITH DISTINCT w WHERE w IS NOT NULL AND NOT (w)-[:HOLDS]->() DELETE w`,
  ],
  document: [
    `UNWIND $rows AS row OPTIONAL MATCH (n:Document {id: row.id}) WITH row, n WHERE ${newest('n')}
     MATCH (c:Chunk {document_id: row.id}) DETACH DELETE c`,
    `${goneOf('Document')} DETACH DELETE n`,
  ],
  answer: [
    `UNWIND $rows AS row MATCH (a:Answer {id: row.id})-[:CITES]->(c:Chunk) WHERE ${newest('a')} SET c:Loose`,
    `${goneOf('Answer')} OPTIONAL MATCH (n)-[:IN]->(s:Session) DETACH DELETE n
     WITH DISTINCT s WHERE s IS NOT NULL AND NOT (s)<-[:IN]-() DELETE s`,
  ],
} as const;

/** Chunks that lost a citation, and tombstones nobody can need any more. */
export const SWEEP = [
  `MATCH (c:Loose) REMOVE c:Loose WITH c WHERE NOT (c)<-[:CITES]-()
   OPTIONAL MATCH (d:Document {id: c.document_id}) WITH c, d WHERE d IS NULL OR c.version IS NULL OR d.version IS NULL OR c.version <> d.version
   DETACH DELETE c`,
  `MATCH (t:Gone) WHERE t.at < timestamp() - 86400000 WITH t LIMIT 1000 DELETE t`,
];

export const IDS = {
  collection: 'MATCH (n:Collection) WHERE n.ledger = $ledger AND n.id > $after RETURN n.id AS id ORDER BY n.id LIMIT toInteger($limit)',
  document: 'MATCH (n:Document) WHERE n.ledger = $ledger AND n.id > $after RETURN n.id AS id ORDER BY n.id LIMIT toInteger($limit)',
  answer: 'MATCH (n:Answer) WHERE n.ledger = $ledger AND n.id > $after RETURN n.id AS id ORDER BY n.id LIMIT toInteger($limit)',
} as const;
