import type { GraphCopy } from './graph-copy';

/** Which lineage, of what, for whom. */
export interface LineageQuery {
  workspaceId: string;
  /** Who asks: answers of others are seen only in sessions that are shared with the workspace. */
  userId: string;
  documentId: string;
  /** Chunks on the page. */
  limit: number;
  /** The id of the chunk after which the page begins. */
  after?: string;
  /** Most answers told of one chunk. */
  answers: number;
}

/** An answer that cites a chunk. */
export interface LineageAnswer {
  id: string;
  sessionId: string;
  /** The number by which the answer names the chunk. */
  index: number;
  createdAt: Date;
}

/** A passage of a document and who cited it; offsets are UTF-16 code units of the extracted text. */
export interface LineageChunk {
  id: string;
  /** Of the version that searches see; else of an earlier one, which answers still cite. */
  current: boolean;
  page: number | null;
  start: number;
  end: number;
  /** Newest first. */
  answers: LineageAnswer[];
  /** There are more answers than were asked for. */
  moreAnswers: boolean;
}

export interface LineagePage {
  /** The version that searches see; null: none yet. */
  version: number | null;
  /** Those of the version that searches see in the order of the text, then the earlier ones in the order of theirs. */
  chunks: LineageChunk[];
  hasMore: boolean;
}

/** Port: where documents came from and which answers they led to. */
export abstract class Graph {
  /** What must be kept like the ledger; null: this graph reads the ledger itself. */
  abstract readonly copy: GraphCopy | null;
  /** Errors: `invalid` (a cursor that is no chunk of this lineage), `unavailable` (also while a copy is being filled), `timeout`. */
  abstract lineage(query: LineageQuery): Promise<LineagePage>;
}
