import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The version in the product's package.json, which lies above this file in the sources and above the build alike. */
export function releaseVersion(): string {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    const found = read(join(folder, 'package.json'));
    if (found !== undefined) return found;
    if (dirname(folder) === folder) throw new Error('The package.json of the product is missing.');
  }
}

function read(path: string): string | undefined {
  try {
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string };
    return manifest.name === 'sutazai-platform' ? manifest.version : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
