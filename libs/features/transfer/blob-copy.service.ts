import { Readable } from 'node:stream';
import { BLOB_KINDS, BlobMeter, Blobs } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import type { ArchiveReader } from './archive-reader.store';
import type { ArchivedBlob } from './manifest.schema';
import type { TransferOptions } from './transfer-options';

/**
 * Copies the blobs of an archive, piece by piece, and reads each of them back. What the store held before stays as it is: the same content is kept,
 * another content of a key of the archive is refused by `check`, and `undo` takes back only what `run` wrote.
 * Errors: `conflict` (another content is there), `unprocessable` (the archive is damaged), those of the store.
 */
export class BlobCopy {
  private readonly kept = new Set<string>();
  private readonly written: string[] = [];

  constructor(
    private readonly archive: ArchiveReader,
    private readonly blobs: Blobs,
    private readonly options: TransferOptions,
  ) {}

  /** Once, before anything is written. */
  async check(): Promise<void> {
    const there = new Set<string>();
    for (const kind of BLOB_KINDS) for (const key of await this.blobs.keys(`${kind}/`)) there.add(key);
    if (there.size === 0) return;
    for await (const blob of this.archive.blobIndex()) {
      this.options.signal.throwIfAborted();
      if (!there.has(blob.key)) continue;
      if (!(await this.holds(blob)))
        throw new AppError(
          'conflict',
          `The target holds a blob ${blob.key} with another content than the archive: import into a new data directory.`,
        );
      this.kept.add(blob.key);
    }
  }

  async run(): Promise<void> {
    let count = 0;
    let bytes = 0;
    for await (const blob of this.archive.blobIndex()) {
      this.options.signal.throwIfAborted();
      if (!this.kept.has(blob.key)) await this.copy(blob);
      count += 1;
      bytes += blob.bytes;
    }
    this.options.say(`blobs: ${count} with ${bytes} bytes, read back`);
  }

  /** What lies in the database goes with its transaction; deleting it once more does no harm. */
  async undo(): Promise<void> {
    for (const key of this.written) await this.blobs.delete(key).catch(() => undefined);
  }

  private async copy(blob: ArchivedBlob): Promise<void> {
    this.written.push(blob.key);
    await this.blobs.put(blob.key, Readable.from(this.archive.blob(blob), { objectMode: false }));
    if (!(await this.holds(blob))) throw new AppError('internal', `The blob ${blob.key} does not read as it was written.`);
  }

  private async holds({ key, bytes, sha256 }: ArchivedBlob): Promise<boolean> {
    const meter = new BlobMeter();
    for await (const piece of (await this.blobs.open(key)) as AsyncIterable<Buffer>) meter.take(piece);
    const read = meter.result();
    return read.bytes === bytes && read.sha256 === sha256;
  }
}
