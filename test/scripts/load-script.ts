import { resolve } from 'node:path';

/** Loads a module of scripts/ (plain ES modules without declarations); the caller states what it uses of it. */
export async function loadScript<T>(path: string): Promise<T> {
  const found: unknown = await import(resolve(__dirname, '..', '..', 'scripts', path));
  return found as T;
}
