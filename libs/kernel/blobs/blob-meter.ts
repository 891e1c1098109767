import { createHash } from 'node:crypto';
import { AppError } from '@kernel/errors';
import type { StoredBlob } from './blobs';

/** Counts and hashes what passes on its way into a store; `too_large` as soon as it passes `maxBytes`. */
export class BlobMeter {
  private readonly hash = createHash('sha256');
  private bytes = 0;

  constructor(private readonly maxBytes: number = Number.POSITIVE_INFINITY) {}

  take(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > this.maxBytes) throw new AppError('too_large', `The content is larger than ${this.maxBytes} bytes.`);
    this.hash.update(chunk);
  }

  /** Once, at the end. */
  result(): StoredBlob {
    return { bytes: this.bytes, sha256: this.hash.digest('hex') };
  }
}
