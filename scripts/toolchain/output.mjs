import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { ROOT, StepError, environmentFor, run } from './process.mjs';
import { sourceHash } from './sources.mjs';

/** Builds dist when it is not the output of the present sources; otherwise costs one hash of them. */
export async function ensureBuild(node) {
  if (isBuilt()) return;
  await withLock(join(ROOT, '.cache', 'toolchain.lock'), 'building', async () => {
    if (isBuilt()) return;
    const options = { env: environmentFor(node), stdio: ['ignore', process.stderr, process.stderr] };
    const code = await run(node, [join(ROOT, 'scripts', 'build.mjs')], options);
    if (code !== 0) throw new StepError('The build failed (see above).');
  });
}

function isBuilt() {
  try {
    return readFileSync(join(ROOT, 'dist', '.build-stamp'), 'utf8') === sourceHash();
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}
