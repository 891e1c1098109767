import { spawn } from 'node:child_process';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const COMMANDS = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['py', '-m', 'pip'], ['pip3'], ['pip']];
const WATCH_MS = 500;
const IDLE_MS = 60_000;
const TOTAL_MS = 20 * 60_000;
const PROBE_MS = 20_000;
const REASON_CHARACTERS = 300;

/**
 * Downloads one wheel from the configured package index with the machine's pip and answers its path inside `folder`. Never
 * installs anything. `onBytes` hears how many bytes have come; a minute without any ends the attempt. Errors say why in words.
 */
export async function downloadWheel(requirement, folder, { args = [], onBytes = () => {} } = {}) {
  const command = await findPip();
  if (!command) throw new Error('pip is not installed');
  const temporary = join(folder, 'pip-temporary');
  await mkdir(temporary, { recursive: true });
  const options = [
    '--no-deps',
    '--only-binary=:all:',
    '--no-input',
    '--disable-pip-version-check',
    '--retries=2',
    '--timeout=15',
    '--quiet',
  ];
  const env = { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary };
  await execute([...command, 'download', ...options, ...args, '--dest', folder, requirement], { env, folder, onBytes });
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (!wheel) throw new Error(`pip downloaded no wheel for ${requirement}`);
  return join(folder, wheel);
}

async function findPip() {
  for (const command of COMMANDS) if (await answers([...command, '--version'])) return command;
  return undefined;
}

function answers([program, ...args]) {
  return new Promise((done) => {
    const child = spawn(program, args, { stdio: 'ignore', timeout: PROBE_MS });
    child.once('error', () => done(false));
    child.once('exit', (code) => done(code === 0));
  });
}

async function execute([program, ...args], { env, folder, onBytes }) {
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: TOTAL_MS });
  const takeAlong = () => child.kill('SIGKILL');
  process.once('exit', takeAlong);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (errors = (errors + text).slice(-4_000)));
  const ended = new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', done);
  });
  const idle = watch(folder, onBytes, () => child.kill('SIGKILL'));
  const code = await ended.finally(() => {
    clearInterval(idle.timer);
    process.off('exit', takeAlong);
  });
  if (idle.expired()) throw new Error(`pip received nothing for ${IDLE_MS / 1000} s`);
  if (code !== 0) throw new Error(`pip failed: ${lastLine(errors)}`);
}

function watch(folder, onBytes, onIdle) {
  let seen = 0;
  let since = Date.now();
  let expired = false;
  const timer = setInterval(async () => {
    const bytes = await bytesBelow(folder);
    if (bytes > seen) since = Date.now();
    seen = Math.max(seen, bytes);
    onBytes(seen);
    expired = Date.now() - since > IDLE_MS;
    if (expired) onIdle();
  }, WATCH_MS);
  return { timer, expired: () => expired };
}

async function bytesBelow(folder) {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (s) => (s.isFile() ? s.size : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function lastLine(text) {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const error = lines.findLast((line) => line.startsWith('ERROR')) ?? lines.at(-1) ?? 'no reason given';
  return error.slice(0, REASON_CHARACTERS);
}
