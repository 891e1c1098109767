import { existsSync, realpathSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { StepError, environmentFor, run } from './process.mjs';

const FLAGS = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];

/**
 * Runs the machine's npm under the given Node, silent but for errors; a failure is a `StepError` naming `purpose`. No script of a
 * package runs: stolen packages have come in through those.
 */
export async function npm(node, args, purpose) {
  const cli = npmCli();
  const options = { env: environmentFor(node), stdio: ['ignore', process.stderr, process.stderr] };
  const code = await run(node, [cli, ...args, ...FLAGS], options);
  if (code !== 0) throw new StepError(`${purpose} failed: npm ended with code ${code} (see above).`);
}

/** The JavaScript entry of npm: the one running us, else the one beside this Node, else the one on the PATH. */
export function npmCli() {
  const candidates = [process.env.npm_execpath, ...besideNode(), ...onPath()];
  const found = candidates.find((path) => path && basename(path) === 'npm-cli.js' && existsSync(path));
  if (!found) throw new StepError('npm was not found: it comes with Node.js, see https://nodejs.org.');
  return found;
}

function besideNode() {
  const folder = dirname(process.execPath);
  const inside = join('node_modules', 'npm', 'bin', 'npm-cli.js');
  return [join(folder, '..', 'lib', inside), join(folder, inside), join(folder, '..', 'share', 'nodejs', 'npm', 'bin', 'npm-cli.js')];
}

function onPath() {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.flatMap((folder) => {
    const link = join(folder, 'npm');
    const beside = join(folder, 'node_modules', 'npm', 'bin', 'npm-cli.js');
    return existsSync(link) ? [realpathSync(link), beside] : [beside];
  });
}
