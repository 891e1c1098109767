import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..', '..');

/** A part behind the door of its lib: for a guard that works in a thread of its own, or behind another one, where its absence would not show. */
export function innerPart<T>(path: string): T {
  return require(join(ROOT, path)) as T;
}
