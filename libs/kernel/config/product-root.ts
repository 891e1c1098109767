import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NAME = 'sutazai-platform';

/** The folder of the product's package.json, which lies above this file in the sources and above the build alike. */
export function productRoot(): string {
  return productManifest().root;
}

export function productManifest(): { root: string; version: string } {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    const version = read(join(folder, 'package.json'));
    if (version !== undefined) return { root: folder, version };
    if (dirname(folder) === folder) throw new Error('The package.json of the product is missing.');
  }
}

function read(path: string): string | undefined {
  try {
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string };
    return manifest.name === NAME ? manifest.version : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
