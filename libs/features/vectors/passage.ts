/** A passage of a document that fits a question; `text` is the slice `start`..`end` (UTF-16 code units) of the extracted text. */
export interface Passage {
  /** Id of the chunk; stays the same when the model or the store changes. */
  id: string;
  collectionId: string;
  documentId: string;
  /** Name of the document. */
  document: string;
  kind: 'chunk' | 'overview';
  ordinal: number;
  page: number | null;
  start: number;
  end: number;
  /** chunk: the headings above it, joined by ` › `; overview: the title and then every heading, one on each line. */
  heading: string | null;
  text: string;
  language: string | null;
  /** Reciprocal rank fusion of both searches, 0..1. */
  score: number;
  /** Cosine similarity and BM25; null where the passage was not a candidate. */
  scores: { vector: number | null; text: number | null };
  /** Share of the question's idf weight that the passage holds, 0..1. */
  coverage: number;
  /** Near enough to be an answer's source. */
  found: boolean;
}
