// npm run worker: toolchain, models, then a worker in the foreground. It needs DATABASE_URL and RABBITMQ_URL; several may run beside each other.
import { join } from 'node:path';
import { ensureModels } from './models.mjs';
import { environment } from './settings.mjs';
import { ensureToolchain } from './toolchain.mjs';
import { NODE_FLAGS, ROOT, environmentFor, exitWith, runForeground } from './toolchain/process.mjs';

await exitWith(async () => {
  const node = await ensureToolchain('build');
  const code = await ensureModels(node);
  if (code !== 0) return code;
  const env = { ...environment(), ...environmentFor(node, { NODE_COMPILE_CACHE: join(ROOT, '.cache', 'compile') }) };
  const program = join(ROOT, 'dist', 'apps', 'worker', 'src', 'main.js');
  return runForeground(node, [...NODE_FLAGS, program, ...process.argv.slice(2)], { env });
});
