import { readFileSync, readlinkSync } from 'node:fs';

/** What tells one process from every other that ever had its number. Fields that the machine cannot say are undefined. */
export interface ProcessIdentity {
  pid: number;
  /** Boot of the machine and start of the process within it, from /proc. */
  started?: string;
  /** The pid namespace: in another one (a container) the number means another process. */
  namespace?: string;
}

export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, started: startOf(process.pid), namespace: ownNamespace() };
}

/** Whether the process still runs; undefined when it lives in another pid namespace and cannot be seen from here. */
export function isAlive(identity: ProcessIdentity): boolean | undefined {
  if (identity.namespace !== ownNamespace()) return undefined;
  if (!exists(identity.pid)) return false;
  const started = startOf(identity.pid);
  return started === undefined || identity.started === undefined || started === identity.started;
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Field 22 of /proc/PID/stat (start in clock ticks since boot); the second field is the program's name, which may hold spaces. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${ticks}`;
  } catch {
    return undefined;
  }
}

function ownNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}
