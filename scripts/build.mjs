import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { ROOT, StepError, exitWith, say } from './toolchain/process.mjs';
import { sourceFiles, sourceHash } from './toolchain/sources.mjs';

const AT_ONCE = 32;
const WORKSHOP = join(ROOT, '.cache', 'build');

/**
 * Compiles apps and libs into a fresh folder by swc and swaps it in whole as dist: no stale file survives and nobody sees half a
 * build. Other files beside the sources (SQL, pages) are copied. Run under the toolchain's lock.
 */
async function build() {
  const started = Date.now();
  // Taken first: an edit made while compiling leaves a stamp that no longer matches, and the next start builds again.
  const stamp = sourceHash();
  const files = sourceFiles();
  rmSync(WORKSHOP, { recursive: true, force: true });
  try {
    const staged = join(WORKSHOP, 'new');
    await compileAll(files, staged);
    writeFileSync(join(staged, '.build-stamp'), stamp);
    swapIn(staged);
  } finally {
    rmSync(WORKSHOP, { recursive: true, force: true });
  }
  say(`Built ${files.length} files (${((Date.now() - started) / 1000).toFixed(1)} s).`);
}

async function compileAll(files, staged) {
  mkdirSync(staged, { recursive: true });
  const { transformFile } = createRequire(join(ROOT, 'package.json'))('@swc/core');
  const options = compilerOptions();
  const failures = [];
  for (let first = 0; first < files.length; first += AT_ONCE) {
    const batch = files.slice(first, first + AT_ONCE).map((file) => emit(file, staged, transformFile, options));
    for (const result of await Promise.allSettled(batch)) if (result.status === 'rejected') failures.push(result.reason.message);
  }
  if (failures.length > 0) throw new StepError(failures.join('\n'));
}

async function emit(file, staged, transformFile, options) {
  const source = join(ROOT, file);
  const target = join(staged, file.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(target), { recursive: true });
  if (!file.endsWith('.ts')) return copyFileSync(source, target);
  const final = join(ROOT, 'dist', dirname(file));
  const { code, map } = await transformFile(source, { ...options, filename: source, sourceFileName: relative(final, source) });
  const name = relative(dirname(target), target);
  writeFileSync(target, map ? `${code}\n//# sourceMappingURL=${name}.map\n` : code);
  if (map) writeFileSync(`${target}.map`, map);
}

/** The options of .swcrc, with the root made absolute as swc asks when it is not reading the file itself. */
function compilerOptions() {
  const { $schema: _schema, exclude: _exclude, ...options } = JSON.parse(readFileSync(join(ROOT, '.swcrc'), 'utf8'));
  return { ...options, swcrc: false, configFile: false, jsc: { ...options.jsc, baseUrl: ROOT } };
}

function swapIn(staged) {
  const dist = join(ROOT, 'dist');
  const former = join(WORKSHOP, 'former');
  if (existsSync(dist)) renameSync(dist, former);
  renameSync(staged, dist);
}

await exitWith(build);
