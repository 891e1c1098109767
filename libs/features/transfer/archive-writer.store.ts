import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { BlobMeter, type StoredBlob } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import { LineSum } from './line-sum';
import { manifestSchema, type Manifest } from './manifest.schema';

const GZIP_LEVEL = 3;

/**
 * Writes an archive: a folder with `manifest.json`, `tables/NAME.ndjson.gz`, `blobs.ndjson.gz` and `blobs/KEY`, for its owner's eyes only, since it
 * holds what the database holds. It grows under another name and gets its own with the manifest. Errors: `conflict` (the folder holds something).
 */
export class ArchiveWriter {
  private constructor(
    private readonly folder: string,
    private readonly draft: string,
  ) {}

  static async create(folder: string): Promise<ArchiveWriter> {
    const there = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw new AppError('conflict', `${folder} is not a folder that can be written (${error.code}).`);
    });
    if (there.length > 0) throw new AppError('conflict', `The folder ${folder} is not empty: name a new one.`);
    const draft = `${folder}.partial`;
    await rm(draft, { recursive: true, force: true });
    await mkdir(join(draft, 'tables'), { recursive: true, mode: 0o700 });
    return new ArchiveWriter(folder, draft);
  }

  table(name: string, lines: AsyncIterable<string>): Promise<{ rows: number; sha256: string }> {
    return this.lines(join('tables', `${name}.ndjson.gz`), lines);
  }

  blobIndex(lines: AsyncIterable<string>): Promise<{ rows: number; sha256: string }> {
    return this.lines('blobs.ndjson.gz', lines);
  }

  async blob(key: string, content: Readable): Promise<StoredBlob> {
    const path = join(this.draft, 'blobs', key);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const meter = new BlobMeter();
    const metered = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const piece of pieces) {
        meter.take(piece);
        yield piece;
      }
    };
    await pipeline(content, metered, createWriteStream(path, { mode: 0o600, flags: 'wx', flush: true }));
    return meter.result();
  }

  async finish(manifest: Manifest): Promise<void> {
    const text = `${JSON.stringify(manifestSchema.parse(manifest), undefined, 2)}\n`;
    await writeFile(join(this.draft, 'manifest.json'), text, { mode: 0o600, flag: 'wx', flush: true });
    await rm(this.folder, { recursive: true, force: true });
    await rename(this.draft, this.folder);
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    await rm(this.draft, { recursive: true, force: true });
  }

  private async lines(path: string, lines: AsyncIterable<string>): Promise<{ rows: number; sha256: string }> {
    const sum = new LineSum();
    const counted = async function* (): AsyncGenerator<string> {
      for await (const line of lines) {
        sum.take(line);
        yield `${line}\n`;
      }
    };
    const file = createWriteStream(join(this.draft, path), { mode: 0o600, flags: 'wx', flush: true });
    await pipeline(Readable.from(counted()), createGzip({ level: GZIP_LEVEL }), file);
    return sum.result();
  }
}
