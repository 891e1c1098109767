import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { assertBlobKey } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import { manifestSchema, type Manifest } from './manifest.schema';

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

  blobIndex(): AsyncGenerator<string> {
    return this.lines('blobs.ndjson.gz');
  }

  async blob(key: string): Promise<Buffer> {
    assertBlobKey(key);
    return readFile(join(this.folder, 'blobs', key)).catch((error: NodeJS.ErrnoException) => {
      throw damaged(`the blob ${key} cannot be read (${error.code})`);
    });
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
