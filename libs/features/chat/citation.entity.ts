import type { Passage } from '@features/vectors';

/** A span of an answer, in UTF-16 code units. */
export interface SupportSpan {
  start: number;
  end: number;
}

/** A passage that was given to an answer, in its wire form; `supports` are the spans of the answer that it supports, computed here and never by the model. */
export interface Citation {
  /** The number by which markers such as `[1]` name it. */
  index: number;
  document_id: string;
  document: string;
  chunk_id: string;
  page?: number;
  /** UTF-16 code units of the extracted text; `quote` is that slice. */
  start: number;
  end: number;
  score: number;
  quote?: string;
  supports: SupportSpan[];
  /** The document is gone; there is no quote any more. */
  deleted?: true;
}

export function citationOf(passage: Passage, index: number, supports: SupportSpan[] = []): Citation {
  return {
    index,
    document_id: passage.documentId,
    document: passage.document,
    chunk_id: passage.id,
    ...(passage.page === null ? {} : { page: passage.page }),
    start: passage.start,
    end: passage.end,
    score: passage.score,
    quote: passage.text,
    supports,
  };
}
