import type { Readable } from 'node:stream';

export interface StoredBlob {
  bytes: number;
  /** lower-case hex */
  sha256: string;
}

/**
 * Port: whole byte strings by key (`<kind>/<uuid>/<version>`): files under `DATA_DIR`, or PostgreSQL rows of 1 MiB parts.
 * A put is all or nothing and durable when it answers; errors: `storage_full`, `not_found`, `too_large` (over `maxBytes`).
 */
export abstract class Blobs {
  abstract put(key: string, content: Readable | Buffer, options?: { maxBytes?: number }): Promise<StoredBlob>;
  abstract get(key: string): Promise<Buffer>;
  /** Like `get`, piece by piece: rejects when there is nothing, and breaks off when it is deleted while it is read. */
  abstract open(key: string): Promise<Readable>;
  /** Deleting what is not there is no error. */
  abstract delete(key: string): Promise<void>;
  /** Keys under a prefix that ends with a slash; for the sweep of orphans. */
  abstract keys(prefix: string): Promise<string[]>;
}
