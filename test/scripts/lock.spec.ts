import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { loadScript } from './load-script';

interface Lock {
  withLock<T>(path: string, purpose: string, work: () => Promise<T>): Promise<T>;
}
type Holder = ChildProcessByStdio<Writable, Readable, null>;

describe('the lock of the toolchain', () => {
  let withLock: Lock['withLock'];
  let folder: string;
  let path: string;
  let holders: Holder[];

  beforeAll(async () => {
    ({ withLock } = await loadScript<Lock>('toolchain/lock.mjs'));
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lock-'));
    path = join(folder, 'inner', 'toolchain.lock');
    holders = [];
  });

  afterEach(() => {
    for (const holder of holders) holder.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const hold = async (): Promise<Holder> => {
    const holder = spawn(process.execPath, [join(__dirname, 'lock-holder.mjs'), path], { stdio: ['pipe', 'pipe', 'ignore'] });
    holders.push(holder);
    await once(holder.stdout, 'data');
    return holder;
  };

  it('waits for another process and takes the lock when that leaves', async () => {
    const holder = await hold();
    let entered = false;
    const mine = withLock(path, 'testing', () => {
      entered = true;
      return Promise.resolve(readFileSync(path, 'utf8'));
    });
    expect([entered, readFileSync(path, 'utf8')]).toEqual([false, String(holder.pid)]);
    holder.stdin.end();
    expect(await mine).toBe(String(process.pid));
    expect(existsSync(path)).toBe(false);
  });

  it('takes over from a process that was killed', async () => {
    const holder = await hold();
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(existsSync(path)).toBe(true);
    expect(await withLock(path, 'testing', () => Promise.resolve('done'))).toBe('done');
    expect(existsSync(path)).toBe(false);
  });

  it('takes over a lock that a stranger now has the pid of, since nobody touches it', async () => {
    (await hold()).kill('SIGKILL');
    writeFileSync(path, String(process.ppid));
    const longAgo = new Date(Date.now() - 120_000);
    utimesSync(path, longAgo, longAgo);
    expect(await withLock(path, 'testing', () => Promise.resolve('done'))).toBe('done');
  });

  it('lets one in at a time, and leaves the lock after an error', async () => {
    let inside = 0;
    let most = 0;
    const enter = async (): Promise<void> => {
      most = Math.max(most, (inside += 1));
      await new Promise(setImmediate);
      inside -= 1;
    };
    await Promise.all([1, 2, 3].map(() => withLock(path, 'testing', enter)));
    expect(most).toBe(1);
    await expect(withLock(path, 'testing', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(existsSync(path)).toBe(false);
  });
});
