import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DirectoryError } from './directory-error';
import { type ProcessIdentity, isAlive, ownIdentity } from './process-identity';

interface Holder extends ProcessIdentity {
  /** One for each file ever written, so that a file can be told from its successor of the same name. */
  nonce: string;
}

const BEAT_MILLISECONDS = 5_000;
/** A holder that cannot be seen (another pid namespace) counts as alive while it has touched its file within this time. */
const UNSEEN_MILLISECONDS = 20_000;
const LOCK = 'lock';
/** EX_TEMPFAIL of sysexits.h. */
export const IN_USE = 75;

/**
 * The exclusive lock of a data directory: two processes on one embedded database lose rows silently. A lock appears by one hard link with its
 * content inside. A dead process's lock is replaced by whoever holds the right to do so: the file named after that lock's nonce, which only one
 * process can ever make; the right of a process that died on the way passes on in the same manner.
 */
export class DirectoryLock {
  private readonly beat: NodeJS.Timeout;

  private constructor(
    private readonly directory: string,
    private readonly own: Holder,
  ) {
    this.beat = setInterval(() => this.touch(), BEAT_MILLISECONDS).unref();
  }

  /** Throws a `DirectoryError` naming the process that holds the directory. */
  static take(directory: string): DirectoryLock {
    const own: Holder = { ...ownIdentity(), nonce: randomUUID() };
    for (;;) {
      if (create(directory, LOCK, own)) return new DirectoryLock(directory, own);
      const holder = read(directory, LOCK);
      // Released between the two steps: try again.
      if (holder === undefined) continue;
      refuseIfAlive(directory, LOCK, holder);
      if (replace(directory, holder, own)) return new DirectoryLock(directory, own);
    }
  }

  release(): void {
    clearInterval(this.beat);
    if (read(this.directory, LOCK)?.nonce === this.own.nonce) rmSync(join(this.directory, LOCK), { force: true });
  }

  private touch(): void {
    try {
      const now = new Date();
      utimesSync(join(this.directory, LOCK), now, now);
    } catch {
      // A directory that went away fails everything else loudly; the beat has nothing to add.
    }
  }
}

/** Puts `own` in the place of the dead `holder`, unless somebody else was first. */
function replace(directory: string, holder: Holder, own: Holder): boolean {
  const rights: string[] = [];
  let contested = holder.nonce;
  for (;;) {
    const right = `${LOCK}.${contested}`;
    rights.push(right);
    if (create(directory, right, { ...own, nonce: randomUUID() })) break;
    const other = read(directory, right);
    if (other === undefined) return false;
    refuseIfAlive(directory, right, other);
    contested = other.nonce;
  }
  // A right made after the lock had been replaced already is worth nothing.
  const still = read(directory, LOCK)?.nonce === holder.nonce;
  if (still) renameSync(written(directory, own), join(directory, LOCK));
  for (const right of still ? rights : rights.slice(-1)) rmSync(join(directory, right), { force: true });
  return still;
}

function refuseIfAlive(directory: string, name: string, holder: Holder): void {
  const alive = isAlive(holder) ?? touchedRecently(join(directory, name));
  if (!alive) return;
  throw new DirectoryError(
    `The data directory ${directory} is in use by the process ${holder.pid}: one process at a time can use it.`,
    IN_USE,
  );
}

function touchedRecently(path: string): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs < UNSEEN_MILLISECONDS;
  } catch {
    return false;
  }
}

/** Makes the file with its content in one step; false when the name is taken. */
function create(directory: string, name: string, own: Holder): boolean {
  const draft = written(directory, own);
  try {
    linkSync(draft, join(directory, name));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function written(directory: string, own: Holder): string {
  const draft = join(directory, `${LOCK}.${randomUUID()}.draft`);
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600, flag: 'wx' });
  return draft;
}

function read(directory: string, name: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, name), 'utf8')) as Holder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    // A power cut can leave the file empty: nobody that still runs wrote it, which its age will show.
    if (error instanceof SyntaxError) return { pid: 0, nonce: 'unreadable' };
    throw error;
  }
}
