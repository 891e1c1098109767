import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ROOT } from './toolchain/process.mjs';

/** The environment as the server will see it: what is set, then what the optional .env file adds. */
export function environment(env = process.env, file = join(ROOT, '.env')) {
  return { ...parse(read(file)), ...env };
}

/** The folders and addresses the scripts need, by the names and defaults the server uses; relative paths count from the root. */
export function folders(env = environment()) {
  const dataDir = resolve(ROOT, env.DATA_DIR || '.data');
  const caches = env.XDG_CACHE_HOME || (process.platform === 'win32' && env.LOCALAPPDATA) || join(homedir(), '.cache');
  return {
    dataDir,
    modelsDir: env.MODELS_DIR ? resolve(ROOT, env.MODELS_DIR) : join(dataDir, 'models'),
    modelsMirror: env.MODELS_MIRROR || undefined,
    servicesCache: env.SERVICES_CACHE ? resolve(ROOT, env.SERVICES_CACHE) : join(caches, 'sutazai-services'),
  };
}

/** NAME=value lines, with comments, an optional `export` and optional quotes. */
function parse(text) {
  const values = {};
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^#]*))/.exec(line);
    if (match) values[match[1]] = match[2] ?? match[3] ?? match[4].trim();
  }
  return values;
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
