// npm run data:export|data:import -- FOLDER: moves everything between databases, with the settings that the server would read.
import { join, resolve } from 'node:path';
import { environment } from './settings.mjs';
import { ROOT, exitWith, runForeground } from './toolchain/process.mjs';

await exitWith(() => {
  const [direction, folder, ...rest] = process.argv.slice(2);
  const program = join(ROOT, 'dist', 'apps', 'transfer', 'src', 'main.js');
  // npm runs scripts in the root: a relative folder is meant from where the person stood.
  const path = folder === undefined ? [] : [resolve(process.env.INIT_CWD ?? '.', folder)];
  return runForeground(process.execPath, ['--enable-source-maps', program, direction, ...path, ...rest], { env: environment() });
});
