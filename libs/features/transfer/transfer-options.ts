/** How somebody follows and stops a transfer. */
export interface TransferOptions {
  signal: AbortSignal;
  /** One line for people. */
  say(line: string): void;
}

/**
 * Tables that every database has for itself: blobs travel as files, whatever holds them; what stores must learn follows from the ledger; its
 * processes are its own; a copy of the lineage is made anew.
 */
export const OWN_TABLES = ['blobs', 'blob_parts', 'store_changes', 'processes', 'graph_changes', 'graph_feed'];
