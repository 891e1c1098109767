/** What a graph holds one node each of. */
export type GraphKind = 'collection' | 'document' | 'answer';

/** Says which of two states of one thing is newer: numbers of the ledger that only grow. */
interface Numbered {
  id: string;
  seq: number;
}

export interface CollectionFact extends Numbered {
  workspaceId: string;
  name: string;
}

/** A document as searches see it. */
export interface DocumentFact extends Numbered {
  workspaceId: string;
  collectionId: string;
  name: string;
  version: number;
}

export interface ChunkFact {
  id: string;
  documentId: string;
  version: number;
  page: number | null;
  start: number;
  end: number;
  /** That of the document it was read for. */
  seq: number;
}

export interface SessionFact extends Numbered {
  workspaceId: string;
  ownerId: string;
  visibility: 'private' | 'workspace';
}

export interface CitationFact {
  index: number;
  chunkId: string;
  documentId: string;
  page: number | null;
  start: number;
  end: number;
}

/** An answer and the documents that it cites and that are still there. */
export interface AnswerFact extends Numbered {
  sessionId: string;
  createdAt: Date;
  citations: CitationFact[];
}

/** What is so now; everything that is not named stays. */
export interface GraphChanges {
  collections: CollectionFact[];
  documents: DocumentFact[];
  /** Shown once their document says that version. */
  chunks: ChunkFact[];
  /** Only those of answers that are there matter. */
  sessions: SessionFact[];
  answers: AnswerFact[];
  /** What is no more. */
  gone: (Numbered & { kind: GraphKind })[];
}

/** Whose copy it is, and which copying of all that there is. */
export interface FeedIdentity {
  /** One database; several may have their copies in one graph. */
  ledger: string;
  fill: string;
}

/**
 * A graph that is kept like the ledger. A fill is one copying of all that there is; whoever writes for another fill than the latest is refused, and
 * what comes late never undoes what is newer. Errors: `unavailable`, `timeout`, `conflict` (another fill by now).
 */
export interface GraphCopy {
  /** The fill that it holds of that ledger, which is the one that lineage is told of from now on; undefined: none. */
  filled(ledger: string): Promise<{ fill: string; complete: boolean } | undefined>;
  begin(feed: FeedIdentity): Promise<void>;
  complete(feed: FeedIdentity): Promise<void>;
  /** In one transaction; applied twice it is as applied once. */
  apply(feed: FeedIdentity, changes: GraphChanges): Promise<void>;
  /** Ids of one kind above `after`, in ascending order. */
  ids(ledger: string, kind: GraphKind, after: string, limit: number): Promise<string[]>;
}
