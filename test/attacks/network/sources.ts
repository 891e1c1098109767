import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

const ROOT = join(__dirname, '..', '..', '..');

/** Sources of the product by their path from the root, without its tests. */
export const SOURCES: readonly string[] = ['apps', 'libs'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/')),
);

/** Those that hold what is looked for. */
export function sourcesWith(pattern: RegExp): string[] {
  return SOURCES.filter((path) => pattern.test(readFileSync(join(ROOT, path), 'utf8'))).sort();
}

/** Names of all packages that a production installation holds, of any depth. */
export function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path]) => path.split('node_modules/').at(-1) ?? '');
}
