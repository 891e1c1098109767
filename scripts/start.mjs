// npm start: toolchain, models, then the server in the foreground. Runs on any Node from 18 on; a second start touches no network.
import { join } from 'node:path';
import { ensureModels } from './models.mjs';
import { environment } from './settings.mjs';
import { ensureToolchain } from './toolchain.mjs';
import { NODE_FLAGS, ROOT, environmentFor, exitWith, runForeground } from './toolchain/process.mjs';

await exitWith(async () => {
  const node = await ensureToolchain('build');
  const code = await ensureModels(node);
  if (code !== 0) return code;
  // Node makes the folder, and goes without where it may not write.
  const compileCache = join(ROOT, '.cache', 'compile');
  const env = { ...environment(), ...environmentFor(node, { NODE_COMPILE_CACHE: compileCache }) };
  const server = join(ROOT, 'dist', 'apps', 'api', 'src', 'main.js');
  return runForeground(node, [...NODE_FLAGS, server, ...process.argv.slice(2)], { env });
});
