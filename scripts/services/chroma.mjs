import { join } from 'node:path';
import { ROOT } from '../toolchain/process.mjs';
import { ensurePythonPackages } from './python-packages.mjs';
import { answers, startServer } from './server.mjs';

const REQUIREMENTS = join(ROOT, 'scripts', 'services', 'chroma-requirements.txt');
/** The server of the package, without the Python client around it: that one would need fifty more packages. */
const PROGRAM = "import sys, chromadb_rust_bindings; chromadb_rust_bindings.cli(['chroma', 'run', *sys.argv[1:]])";

/** The Python interpreter and the folder of the package; `offline` answers undefined instead of downloading. */
export function ensureChroma(options = {}) {
  return ensurePythonPackages({ ...options, name: 'chroma', label: 'Chroma', requirements: REQUIREMENTS, dependencies: false });
}

/** Starts a Chroma of its own on loopback; see `startServer` for `directory`, `port` and what it answers. */
export async function startChroma({ directory, port } = {}) {
  const { python, path } = await ensureChroma();
  const server = await startServer({
    name: 'Chroma',
    directory,
    port,
    command: ({ directory: home, port: own }) => ({
      program: python,
      args: ['-c', PROGRAM, '--host', '127.0.0.1', '--port', String(own), '--path', join(home, 'data')],
      environment: { PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1', ANONYMIZED_TELEMETRY: 'False' },
    }),
    ready: ({ port: own }) => answers(`http://127.0.0.1:${own}/api/v2/heartbeat`),
  });
  return Object.defineProperty(server, 'url', { value: `http://127.0.0.1:${server.port}`, enumerable: true });
}
