import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

export interface SmallDisk {
  remove(): void;
}

/** A file system of `bytes` at `path`, really full when it is full; undefined where this user may not mount one. */
export function smallDisk(path: string, bytes: number): SmallDisk | undefined {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return { remove: () => execFileSync('umount', ['-l', path], { stdio: 'ignore' }) };
}

/** `it` for tests that need such a disk: shown as skipped where none can be mounted; with REQUIRE_SERVICES=1 they run and fail. */
export function onSmallDisk(possible: boolean): (title: string, test: () => Promise<void>, timeout?: number) => void {
  if (possible || process.env.REQUIRE_SERVICES === '1') return it;
  return (title, test, timeout) => it.skip(`${title}: no small disk can be mounted here`, test, timeout);
}
