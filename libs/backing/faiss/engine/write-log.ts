import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '@kernel/errors';
import { HEADER_BYTES, headerOf } from './records';

/** Bytes that are written and fsynced together at most. */
const GROUP_BYTES = 32 * 1_048_576;

interface Append {
  bytes: Buffer;
  apply: () => void;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * The append-only log of one index. What waits at the same time is written and fsynced together, then applied in order, then acknowledged. Errors:
 * `storage_full`, `unavailable`: nothing of the record is kept. After a failed fsync nobody knows what the disk holds: `onLost` must end the process.
 */
export class WriteLog {
  private queue: Append[] = [];
  private turn: Promise<void> = Promise.resolve();
  private busy = false;

  private constructor(
    private file: FileHandle,
    /** Bytes of whole records in the current file. */
    private length: number,
    private readonly dimensions: number,
    private readonly onLost: (error: unknown) => void,
  ) {}

  /** Goes on at `length`, dropping what lies behind it; 0 begins a new file. */
  static async open(path: string, length: number, dimensions: number, onLost: (error: unknown) => void): Promise<WriteLog> {
    const file = await begin(path, length, dimensions);
    return new WriteLog(file, Math.max(length, HEADER_BYTES), dimensions, onLost);
  }

  get bytes(): number {
    return this.length;
  }

  append(bytes: Buffer, apply: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.queue.push({ bytes, apply, resolve, reject });
      if (!this.busy) this.drain();
    });
  }

  /** What is appended from now on goes to a new file. */
  rotate(path: string): Promise<void> {
    return this.after(async () => {
      const former = this.file;
      this.file = await begin(path, 0, this.dimensions);
      this.length = HEADER_BYTES;
      await former.close();
    });
  }

  close(): Promise<void> {
    return this.after(() => this.file.close());
  }

  private drain(): void {
    this.busy = true;
    void this.after(async () => {
      while (this.queue.length > 0) await this.flush(this.group());
      this.busy = false;
    });
  }

  /** One thing at a time touches the file. */
  private after(work: () => Promise<void>): Promise<void> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private group(): Append[] {
    let bytes = 0;
    const end = this.queue.findIndex((append, at) => (bytes += append.bytes.length) > GROUP_BYTES && at > 0);
    return this.queue.splice(0, end === -1 ? this.queue.length : end);
  }

  private async flush(group: Append[]): Promise<void> {
    try {
      await this.write(group.map(({ bytes }) => bytes));
    } catch (error) {
      await this.takeBack();
      for (const { reject } of group) reject(refusal(error));
      return;
    }
    try {
      await this.file.datasync();
    } catch (error) {
      this.onLost(error);
      for (const { reject } of group) reject(refusal(error));
      return;
    }
    this.length += group.reduce((sum, { bytes }) => sum + bytes.length, 0);
    for (const { apply, resolve, reject } of group) {
      try {
        apply();
        resolve();
      } catch (error) {
        reject(error);
      }
    }
  }

  private async write(parts: Buffer[]): Promise<void> {
    let at = this.length;
    for (const part of parts) {
      for (let done = 0; done < part.length; ) {
        const { bytesWritten } = await this.file.write(part, done, part.length - done, at + done);
        done += bytesWritten;
      }
      at += part.length;
    }
  }

  private async takeBack(): Promise<void> {
    await this.file.truncate(this.length).catch((error: unknown) => this.onLost(error));
  }
}

async function begin(path: string, length: number, dimensions: number): Promise<FileHandle> {
  const file = await open(path, length === 0 ? 'w' : 'r+', 0o600);
  try {
    if (length === 0) await file.writeFile(headerOf(dimensions));
    else await file.truncate(length);
    await file.sync();
    await syncFolder(dirname(path));
    return file;
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

/** A name in a folder is there after a crash only once the folder is written, too. */
export async function syncFolder(path: string): Promise<void> {
  // Windows opens no folder as a file, and needs none of this.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function refusal(error: unknown): AppError {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new AppError('storage_full', 'The disk of the FAISS service is full.', { cause: error })
    : new AppError('unavailable', 'The FAISS service could not write to its disk.', { cause: error, retryAfterSeconds: 2 });
}
