import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { assertBlobKey, assertBlobPrefix, BlobMeter, Blobs, type StoredBlob } from '@kernel/blobs';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';

const FULL = new Set(['ENOSPC', 'EDQUOT']);
/** A write in progress touches its file more often than this. */
const ABANDONED_MS = 600_000;

/**
 * Blobs as files `blobs/<kind>/<uuid>/<version>` under `DATA_DIR`: written aside, synced, renamed, and the folder synced, so that a key
 * shows all of its content or none after any crash. Errors as of the port.
 */
@Injectable()
export class FileBlobs extends Blobs implements OnApplicationBootstrap {
  private readonly root: string;
  private readonly incoming: string;

  constructor(config: AppConfig) {
    super();
    this.root = join(config.directory, 'blobs');
    this.incoming = join(this.root, '.incoming');
  }

  /** What a crash left half written. */
  async onApplicationBootstrap(): Promise<void> {
    for (const name of await entries(this.incoming)) {
      const path = join(this.incoming, name);
      const state = await stat(path).catch(() => undefined);
      if (state !== undefined && Date.now() - state.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
    }
  }

  async put(key: string, content: Readable | Buffer, options: { maxBytes?: number } = {}): Promise<StoredBlob> {
    assertBlobKey(key);
    const target = join(this.root, key);
    const aside = join(this.incoming, randomUUID());
    try {
      await mkdir(this.incoming, { recursive: true, mode: 0o700 });
      const stored = await write(aside, content, new BlobMeter(options.maxBytes));
      await this.makeFolder(dirname(target));
      await rename(aside, target);
      await syncFolder(dirname(target));
      return stored;
    } catch (error) {
      await rm(aside, { force: true }).catch(() => undefined);
      throw translated(error);
    }
  }

  async get(key: string): Promise<Buffer> {
    assertBlobKey(key);
    try {
      return await readFile(join(this.root, key));
    } catch (error) {
      throw isMissing(error) ? AppError.notFound('The stored content') : translated(error);
    }
  }

  async open(key: string): Promise<Readable> {
    assertBlobKey(key);
    try {
      // Once open, the file is read to its end, also when its name goes meanwhile.
      return (await open(join(this.root, key), 'r')).createReadStream();
    } catch (error) {
      throw isMissing(error) ? AppError.notFound('The stored content') : translated(error);
    }
  }

  async delete(key: string): Promise<void> {
    assertBlobKey(key);
    const path = join(this.root, key);
    await rm(path, { force: true });
    // Only an empty folder goes; the other versions keep theirs.
    await rmdir(dirname(path)).catch(() => undefined);
  }

  async keys(prefix: string): Promise<string[]> {
    assertBlobPrefix(prefix);
    const [kind = '', id = ''] = prefix.split('/');
    const ids = id === '' ? await entries(join(this.root, kind)) : [id];
    const keys = await Promise.all(
      ids.map(async (each) => (await entries(join(this.root, kind, each))).map((name) => `${kind}/${each}/${name}`)),
    );
    return keys.flat().sort();
  }

  private async makeFolder(folder: string): Promise<void> {
    const first = await mkdir(folder, { recursive: true, mode: 0o700 });
    // New folders are entries of their parents, which must reach the disk too.
    if (first !== undefined)
      for (let path = folder; path.length >= dirname(first).length && path !== dirname(path); path = dirname(path)) await syncFolder(path);
  }
}

async function write(path: string, content: Readable | Buffer, meter: BlobMeter): Promise<StoredBlob> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of Buffer.isBuffer(content) ? [content] : content) {
      const bytes = Buffer.from(chunk as Uint8Array);
      meter.take(bytes);
      await writeAll(file, bytes);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return meter.result();
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function entries(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException | undefined)?.code ?? '';
const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';

function translated(error: unknown): unknown {
  return FULL.has(codeOf(error)) ? new AppError('storage_full', 'The disk of the data directory is full.', { cause: error }) : error;
}
