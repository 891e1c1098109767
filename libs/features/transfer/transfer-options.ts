/** How somebody follows and stops a transfer. */
export interface TransferOptions {
  signal: AbortSignal;
  /** One line for people. */
  say(line: string): void;
}

/** Tables that every database has for itself: blobs travel as files, whatever holds them. */
export const BLOB_TABLES = ['blobs', 'blob_parts'];
