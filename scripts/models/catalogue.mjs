import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../toolchain/process.mjs';
import { SOURCES } from './sources.mjs';

const FILE = join(ROOT, 'libs', 'backing', 'llama-cpp', 'catalogue.json');

/**
 * The models that can be fetched: the server's own catalogue, and for the built-in ones what `SOURCES` adds. Each: `slug`, `role`,
 * `name` in MODELS_DIR, `size` in bytes (exact only with a `sha256`), `license`, `builtIn`, and `sources`, the files it is made from.
 * Read as text, because the syntax for importing JSON differs between the Node versions a start may run on.
 */
export const CATALOGUE = JSON.parse(readFileSync(FILE, 'utf8')).map(modelOf);

function modelOf({ slug, kind, file, url, bytes, sha256, license }) {
  const { wheel, convert, settings, entry, sources } = SOURCES[slug] ?? {};
  const target = { name: file, size: bytes, sha256 };
  return {
    ...target,
    slug,
    role: kind,
    license,
    builtIn: wheel !== undefined,
    wheel,
    convert,
    settings,
    sources: sources?.map(({ path, ...source }) => ({ ...source, upstream: `${url}/${path}` })) ?? [{ ...target, upstream: url, entry }],
  };
}
