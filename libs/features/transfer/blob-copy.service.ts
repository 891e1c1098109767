import { createHash } from 'node:crypto';
import { Blobs } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import type { ArchiveReader } from './archive-reader.store';
import { LineSum } from './line-sum';
import type { TransferOptions } from './transfer-options';

/** Copies the blobs of an archive and reads each of them back. A blob that was there before with the same content stays when the copy is undone. */
export class BlobCopy {
  private readonly written: string[] = [];

  constructor(
    private readonly archive: ArchiveReader,
    private readonly blobs: Blobs,
    private readonly options: TransferOptions,
  ) {}

  async run(): Promise<void> {
    const sum = new LineSum();
    let bytes = 0;
    for await (const line of this.archive.blobIndex()) {
      this.options.signal.throwIfAborted();
      sum.take(line);
      const [key, size, sha256] = JSON.parse(line) as [string, number, string];
      const content = await this.archive.blob(key);
      if (content.length !== size || hashOf(content) !== sha256)
        throw new AppError('unprocessable', `The archive cannot be used: the blob ${key} is damaged.`);
      await this.copy(key, content, sha256);
      bytes += content.length;
    }
    const { rows, sha256 } = sum.result();
    const wanted = this.archive.manifest.blobs;
    if (rows !== wanted.count || bytes !== wanted.bytes || sha256 !== wanted.sha256)
      throw new AppError('unprocessable', 'The archive cannot be used: its list of blobs is damaged.');
    this.options.say(`blobs: ${rows} with ${bytes} bytes, read back`);
  }

  /** What lies in the database goes with its transaction; deleting it once more does no harm. */
  async undo(): Promise<void> {
    for (const key of this.written) await this.blobs.delete(key).catch(() => undefined);
  }

  private async copy(key: string, content: Buffer, sha256: string): Promise<void> {
    if ((await this.hashThere(key)) === sha256) return;
    this.written.push(key);
    await this.blobs.put(key, content);
    if ((await this.hashThere(key)) !== sha256) throw new AppError('internal', `The blob ${key} does not read as it was written.`);
  }

  private async hashThere(key: string): Promise<string | undefined> {
    const there = await this.blobs.get(key).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'not_found') return undefined;
      throw error;
    });
    return there && hashOf(there);
  }
}

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
