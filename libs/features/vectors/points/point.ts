import type { Metadata } from '../metadata';

/** A point as the ledger shows it: one that a user wrote, or a chunk of a document (`documentId` set; its metadata is the document's). */
export interface Point {
  id: string;
  physicalId: string;
  metadata: Metadata;
  text: string | null;
  language: string | null;
  documentId: string | null;
  page: number | null;
  /** UTF-16 code units of the document's text. */
  start: number | null;
  end: number | null;
  vector: Float32Array;
  /** Changes with every write. */
  revision: number;
  createdAt: Date;
  updatedAt: Date;
}

/** A point as a user sends it; exactly one of `vector` and `text` is needed, and both are allowed: `text` is then found by its words. */
export interface SentPoint {
  id?: string;
  /** Numbers, or base64 of little-endian float32. */
  vector?: number[] | Float64Array | Float32Array | string;
  text?: string;
  metadata?: unknown;
}

/** A checked point; without a vector its text is still to be embedded. */
export interface CheckedPoint {
  id: string;
  vector: Float32Array | null;
  text: string | null;
  metadata: Metadata;
}

/** A checked point with its vector. */
export type WritablePoint = CheckedPoint & { vector: Float32Array };
