import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { assertBlobKey, BlobMeter } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import { LineSum } from './line-sum';
import { blobLineSchema, manifestSchema, type ArchivedBlob, type Manifest } from './manifest.schema';

/** Reads an archive, line by line. Errors: `unprocessable`, naming what is missing or damaged. */
export class ArchiveReader {
  private constructor(
    private readonly folder: string,
    readonly manifest: Manifest,
  ) {}

  static async open(folder: string): Promise<ArchiveReader> {
    const text = await readFile(join(folder, 'manifest.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw damaged(`${folder} holds no archive: manifest.json cannot be read (${error.code})`);
    });
    const manifest = manifestSchema.safeParse(parsed(text));
    if (!manifest.success) {
      const [issue] = manifest.error.issues;
      throw damaged(`the manifest of the archive is not one of this release: ${issue?.path.join('.')} ${issue?.message}`);
    }
    return new ArchiveReader(folder, manifest.data);
  }

  table(name: string): AsyncGenerator<string> {
    return this.lines(join('tables', `${name}.ndjson.gz`));
  }

  /** All blobs; fails at the end when they are not those of the manifest. */
  async *blobIndex(): AsyncGenerator<ArchivedBlob> {
    const sum = new LineSum();
    let total = 0;
    for await (const line of this.lines('blobs.ndjson.gz')) {
      sum.take(line);
      const blob = blobOf(line);
      total += blob.bytes;
      yield blob;
    }
    const { rows, sha256 } = sum.result();
    const wanted = this.manifest.blobs;
    if (rows !== wanted.count || total !== wanted.bytes || sha256 !== wanted.sha256) throw damaged('its list of blobs is damaged');
  }

  /** The bytes of a blob, piece by piece. Errors: `unprocessable` when they cannot be read, and last when they are not those of its list. */
  async *blob({ key, bytes, sha256 }: ArchivedBlob): AsyncGenerator<Buffer> {
    const meter = new BlobMeter();
    const file = createReadStream(join(this.folder, 'blobs', key));
    try {
      for await (const piece of file as AsyncIterable<Buffer>) {
        meter.take(piece);
        yield piece;
      }
    } catch (error) {
      throw damaged(`the blob ${key} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
    const read = meter.result();
    if (read.bytes !== bytes || read.sha256 !== sha256) throw damaged(`the blob ${key} is damaged`);
  }

  /** Only a line feed ends a line: the readers of lines that Node has also end them at U+2028, which JSON leaves as it is. */
  private async *lines(path: string): AsyncGenerator<string> {
    const file = createReadStream(join(this.folder, path));
    const unzipped = createGunzip();
    file.on('error', (error) => unzipped.destroy(error));
    let rest = '';
    try {
      for await (const piece of file.pipe(unzipped).setEncoding('utf8')) {
        const lines = (rest + String(piece)).split('\n');
        rest = lines.pop() ?? '';
        yield* lines;
      }
    } catch (error) {
      throw damaged(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    } finally {
      file.destroy();
    }
    if (rest !== '') throw damaged(`${path} ends in the middle of a line`);
  }
}

function blobOf(line: string): ArchivedBlob {
  const read = blobLineSchema.safeParse(parsed(line));
  if (!read.success) throw damaged('a line of its list of blobs is none');
  const [key, bytes, sha256] = read.data;
  try {
    assertBlobKey(key);
  } catch {
    throw damaged('its list of blobs names a key that no release makes');
  }
  return { key, bytes, sha256 };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function damaged(what: string): AppError {
  return new AppError('unprocessable', `The archive cannot be used: ${what}.`);
}
