import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from '../toolchain/lock.mjs';

const POLL_MS = 20;

/** The process ids below `pid`, itself first. A server's children may lead groups of their own, so a group is not enough. */
export function family(pid) {
  const parents = parentsOfAll();
  const found = [pid];
  for (const member of found) for (const [child, parent] of parents) if (parent === member) found.push(child);
  return found;
}

/** Kills every given process at once, then waits until the last one is gone. Rejects when one remains after `deadlineMs`. */
export async function killAll(pids, deadlineMs = 10_000) {
  for (const pid of pids) signal(pid, 'SIGKILL');
  await gone(pids, deadlineMs);
}

/** Waits until none of the processes runs any more; a zombie nobody has collected counts as gone. */
export async function gone(pids, deadlineMs = 10_000) {
  const deadline = Date.now() + deadlineMs;
  while (pids.some(isRunning)) {
    if (Date.now() > deadline) throw new Error(`processes ${pids.filter(isRunning).join(', ')} did not end within ${deadlineMs / 1000} s`);
    await delay(POLL_MS);
  }
}

/** Sends a signal to one process; one that has ended already is no error. */
export function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function isRunning(pid) {
  if (process.platform !== 'linux') return isAlive(pid);
  const [state] = statFields(pid) ?? ['Z'];
  return state !== 'Z' && state !== 'X';
}

function parentsOfAll() {
  if (process.platform !== 'linux') return listed();
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => [Number(pid), Number(statFields(pid)?.[1])]);
}

/** The fields of /proc/PID/stat after the program's name, which may itself hold blanks and brackets: state, parent, … */
function statFields(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function listed() {
  const text = execFileSync('ps', ['-axo', 'pid=,ppid='], { encoding: 'utf8' });
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
}
