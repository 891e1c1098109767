import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Threads for models: physical cores - 1, so that requests always find a core, and at least 1. More than the free cores makes llama.cpp collapse. */
export function defaultThreads(): number {
  return Math.max(1, Math.min(physicalCores(readCpuinfo()), availableParallelism()) - 1);
}

/** Distinct cores in the text of /proc/cpuinfo; without such lines half of the logical processors. */
export function physicalCores(cpuinfo: string): number {
  const cores = new Set<string>();
  for (const processor of cpuinfo.split(/\n\s*\n/)) {
    const core = /^core id\s*:\s*(\d+)/m.exec(processor)?.[1];
    const socket = /^physical id\s*:\s*(\d+)/m.exec(processor)?.[1] ?? '0';
    if (core !== undefined) cores.add(`${socket}/${core}`);
  }
  return cores.size > 0 ? cores.size : Math.max(1, Math.floor(availableParallelism() / 2));
}

function readCpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}
