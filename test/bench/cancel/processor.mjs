import { readdirSync, readFileSync } from 'node:fs';

/** One tick of the kernel's account of processor time. */
const TICK_MS = 10;

/** Milliseconds of processor time that a process and what it started have used. */
export function processorMs(pid) {
  let total = 0;
  const add = (id) => {
    try {
      const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1).split(' ');
      total += (Number(fields[11]) + Number(fields[12])) * TICK_MS;
      for (const task of readdirSync(`/proc/${id}/task`)) {
        for (const child of readFileSync(`/proc/${id}/task/${task}/children`, 'utf8').split(' ')) if (child !== '') add(child);
      }
    } catch {
      // It has ended meanwhile.
    }
  };
  add(pid);
  return total;
}
