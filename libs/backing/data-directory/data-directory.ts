import { randomBytes, randomUUID } from 'node:crypto';
import { accessSync, chmodSync, constants, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DirectoryError } from './directory-error';
import { DirectoryLock, IN_USE } from './directory-lock';

const MOST_PROCESSES = 256;

/**
 * Owns `DATA_DIR` for the life of the process: its lock, the release that wrote it (`VERSION`), the identity of this installation and the
 * secrets it made for itself. Errors: `DirectoryError` (in use, not writable, made by a newer release), all before anything else is opened.
 */
export class DataDirectory {
  private constructor(
    readonly path: string,
    /** Stable over restarts; who holds the leases of jobs. */
    readonly instanceId: string,
    private readonly lock: DirectoryLock,
  ) {}

  static open(path: string, version: string): DataDirectory {
    makeWritable(path);
    const lock = DirectoryLock.take(path);
    try {
      recordVersion(path, version);
      return new DataDirectory(path, keep(path, 'instance', randomUUID), lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /**
   * A folder of its own below `path` for each process of a kind, of which several may share one DATA_DIR: the first of `name-1`, `name-2` … that nobody
   * holds. One that comes after a crash finds the identity of the dead one, and what was in its name.
   */
  static openOneOf(path: string, name: string, version: string): DataDirectory {
    for (let number = 1; ; number += 1) {
      try {
        return DataDirectory.open(join(path, `${name}-${number}`), version);
      } catch (error) {
        if (!(error instanceof DirectoryError && error.exitCode === IN_USE) || number >= MOST_PROCESSES) throw error;
      }
    }
  }

  /** A secret of 256 bits for one purpose, made at first use and kept (mode 0600). */
  secret(name: string): string {
    if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) throw new Error(`"${name}" cannot name a secret.`);
    const folder = join(this.path, 'secrets');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return keep(folder, name, () => randomBytes(32).toString('base64url'));
  }

  /** The last thing a process does. */
  close(): void {
    this.lock.release();
  }
}

function makeWritable(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DirectoryError(
      `The data directory ${path} cannot be written (${code}): set DATA_DIR to a folder that this user may write.`,
      73,
      {
        cause: error,
      },
    );
  }
}

/** Nothing of an older release needs upgrading yet; what a newer one wrote must not be touched. */
function recordVersion(path: string, version: string): void {
  const written = read(join(path, 'VERSION'));
  if (written === version) return;
  if (written !== undefined && isNewer(written, version)) {
    throw new DirectoryError(
      `The data directory ${path} was written by release ${written}, which is newer than this one (${version}): start that release.`,
      78,
    );
  }
  const draft = join(path, `VERSION.${randomUUID()}`);
  writeFileSync(draft, `${version}\n`, { mode: 0o600 });
  renameSync(draft, join(path, 'VERSION'));
}

/** Compares the numbers of two releases; what is no release number counts as newer, for this one did not write it. */
function isNewer(written: string, version: string): boolean {
  const [theirs, ours] = [written, version].map((text) => /^(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number));
  if (theirs === undefined || ours === undefined) return true;
  const difference = theirs.map((part, index) => part - (ours[index] ?? 0)).find((part) => part !== 0);
  return difference !== undefined && difference > 0;
}

/** The content of a file of one line, made at first use; a crash leaves it whole or absent, and it never changes. */
function keep(folder: string, name: string, make: () => string): string {
  const path = join(folder, name);
  const known = read(path);
  if (known !== undefined && known !== '') return known;
  const draft = join(folder, `${name}.${randomUUID()}`);
  writeFileSync(draft, `${make()}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    if (known === '') rmSync(path);
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  chmodSync(path, 0o600);
  return readFileSync(path, 'utf8').trim();
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
