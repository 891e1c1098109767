import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { say } from './process.mjs';

const HEARTBEAT_MS = 2_000;
const STALE_MS = 60_000;
const STEAL_MS = 10_000;
const POLL_MS = 100;

/**
 * Runs `work` while holding the lock file at `path`, waiting for another live holder first. The file holds the holder's pid and
 * is touched every two seconds: it counts as left behind when that process is gone, or when nobody touched it for a minute
 * (the pid was given to a stranger). `purpose` completes "Waiting for process 12, which is …".
 */
export async function withLock(path, purpose, work) {
  mkdirSync(dirname(path), { recursive: true });
  let announced = false;
  while (!acquire(path)) {
    if (!announced) say(`Waiting for process ${holder(path) ?? '(starting)'}, which is ${purpose} ...`);
    announced = true;
    await delay(POLL_MS);
  }
  const heartbeat = setInterval(() => touch(path), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if (holder(path) === process.pid) rmSync(path, { force: true });
  }
}

function acquire(path) {
  if (create(path)) return true;
  if (!isLeftBehind(path)) return false;
  // Only one process may clear a lock left behind, else the second one would remove the first one's fresh lock.
  const steal = `${path}.steal`;
  if (!create(steal)) {
    if (ageMs(steal) > STEAL_MS) rmSync(steal, { force: true });
    return false;
  }
  try {
    if (isLeftBehind(path)) rmSync(path, { force: true });
    return create(path);
  } finally {
    rmSync(steal, { force: true });
  }
}

function create(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isLeftBehind(path) {
  const pid = holder(path);
  return ageMs(path) > STALE_MS || (pid !== undefined && !isAlive(pid));
}

function holder(path) {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function ageMs(path) {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

function touch(path) {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // The lock was taken away while this machine slept: the work ends as it is, the release checks the owner.
  }
}

/** True when a process with this id exists, also one of another user. */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
