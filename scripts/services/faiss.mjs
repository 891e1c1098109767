import { createRequire } from 'node:module';
import { join } from 'node:path';
import { buildBinding, loads } from '../faiss/build-binding.mjs';
import { folders } from '../settings.mjs';
import { withLock } from '../toolchain/lock.mjs';
import { ROOT, StepError, say } from '../toolchain/process.mjs';
import { answers, exists, freePort, startServer } from './server.mjs';

const PROGRAM = join(ROOT, 'dist', 'apps', 'faiss', 'src', 'main.js');

/**
 * Starts the built FAISS service on loopback and answers once it is ready: `url`, and what every server has (server.mjs). `binding` names a native part
 * of yours, `environment` adds settings.
 */
export async function startFaiss({ directory, port, metricsPort, binding, environment = {} } = {}) {
  if (!(await exists(PROGRAM))) throw new StepError('The FAISS service is not built: run `npm run build`.');
  const native = binding ?? (await ensureFaiss());
  const metrics = metricsPort ?? (await freePort());
  const server = await startServer({
    name: 'faiss',
    directory,
    port,
    command: (place) => ({
      program: process.execPath,
      args: [PROGRAM],
      environment: {
        PORT: String(place.port),
        METRICS_PORT: String(metrics),
        DATA_DIR: join(place.directory, 'data'),
        FAISS_BINDING: native,
        ...environment,
      },
    }),
    ready: (place) => answers(`http://127.0.0.1:${place.port}/readyz`),
  });
  // Getters stay what they are.
  return Object.defineProperties(
    { url: `http://127.0.0.1:${server.port}`, metricsPort: metrics },
    Object.getOwnPropertyDescriptors(server),
  );
}

/** The path of the native part, built once into SERVICES_CACHE; `offline` answers undefined instead of building it. */
export async function ensureFaiss({ cache = folders().servicesCache, offline = false } = {}) {
  const { version } = createRequire(join(ROOT, 'package.json'))('faiss-node/package.json');
  const folder = join(cache, `faiss-node-${version}-${process.platform}-${process.arch}`);
  const path = join(folder, 'faiss-node.node');
  if (await loads(path)) return path;
  if (offline) return undefined;
  await withLock(`${folder}.lock`, 'building the native part of FAISS', async () => {
    if (await loads(path)) return;
    say(`Building the native part of faiss-node ${version}, once (about 10 seconds) ...`);
    await buildBinding(path);
  });
  return path;
}
