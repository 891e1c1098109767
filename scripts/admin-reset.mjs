// npm run admin:reset -- EMAIL: a token with which that person sets a new password, for whoever runs this machine.
import { join } from 'node:path';
import { environment } from './settings.mjs';
import { ROOT, exitWith, runForeground } from './toolchain/process.mjs';

await exitWith(() => {
  const program = join(ROOT, 'dist', 'apps', 'recovery', 'src', 'main.js');
  return runForeground(process.execPath, ['--enable-source-maps', program, ...process.argv.slice(2)], { env: environment() });
});
