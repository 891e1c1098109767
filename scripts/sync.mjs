// npm run sync: writes deploy/openapi.json from the built application; with --check it only compares, and fails on a difference.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT, StepError, exitWith, say } from './toolchain/process.mjs';

const DOCUMENT = join('deploy', 'openapi.json');
const GENERATOR = join('dist', 'apps', 'api', 'src', 'openapi.js');
const DEADLINE_MS = 60_000;

await exitWith(async () => {
  const fresh = await generate();
  const path = join(ROOT, DOCUMENT);
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, fresh);
    say(`Wrote ${DOCUMENT}.`);
    return 0;
  }
  if (read(path) === fresh) return 0;
  throw new StepError(`${DOCUMENT} is not what the application says now: run "npm run sync" and commit the result.`);
});

async function generate() {
  const options = { cwd: ROOT, maxBuffer: 64 << 20, timeout: DEADLINE_MS };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, GENERATOR)], options);
    return `${JSON.stringify(JSON.parse(stdout), null, 2)}\n`;
  } catch (error) {
    throw new StepError(`${GENERATOR} gave no OpenAPI document: ${error.stderr || error.message}`);
  }
}

/** A checkout on Windows may have turned the line ends. */
function read(path) {
  try {
    return readFileSync(path, 'utf8').replaceAll('\r\n', '\n');
  } catch {
    return undefined;
  }
}
