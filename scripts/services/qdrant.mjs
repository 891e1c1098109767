import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../toolchain/process.mjs';
import { ensurePythonPackages } from './python-packages.mjs';
import { answers, exists, startServer } from './server.mjs';

const REQUIREMENTS = join(ROOT, 'scripts', 'services', 'qdrant-requirements.txt');
const SHIM = join(ROOT, 'scripts', 'services', 'qdrant-shim.py');

/** The Python interpreter and the folder of Qdrant's engine; `offline` answers undefined instead of downloading. */
export function ensureQdrant(options = {}) {
  return ensurePythonPackages({
    ...options,
    name: 'qdrant-edge',
    label: "Qdrant's engine",
    requirements: REQUIREMENTS,
    dependencies: false,
  });
}

/**
 * Starts Qdrant's engine behind a shim of its REST interface on loopback: the server itself is in no package registry. `credentials` has the key of
 * full access and, for tests, one that may only read. See `startServer` for `directory`, `port` and what it answers.
 */
export async function startQdrant({ directory, port } = {}) {
  const { python, path } = await ensureQdrant();
  const server = await startServer({
    name: 'Qdrant',
    directory,
    port,
    prepare: ({ directory: home }) => keysIn(home),
    command: ({ directory: home, port: own, prepared }) => ({
      program: python,
      args: [SHIM, join(home, 'data'), String(own)],
      environment: { PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1', QDRANT_KEY: prepared.key, QDRANT_READ_ONLY_KEY: prepared.readOnly },
    }),
    ready: ({ port: own }) => answers(`http://127.0.0.1:${own}/readyz`),
  });
  const { key, readOnly } = server.prepared;
  const further = { url: `http://127.0.0.1:${server.port}`, credentials: { QDRANT_API_KEY: key }, readOnlyKey: readOnly };
  for (const [name, value] of Object.entries(further)) Object.defineProperty(server, name, { value, enumerable: true });
  return server;
}

/** Made at the first start, found by the next. */
async function keysIn(home) {
  const file = join(home, 'keys.json');
  if (await exists(file)) return JSON.parse(await readFile(file, 'utf8'));
  const keys = { key: randomBytes(16).toString('hex'), readOnly: randomBytes(16).toString('hex') };
  await writeFile(file, JSON.stringify(keys), { mode: 0o600 });
  return keys;
}
