// node test/fuzz/schemathesis.mjs: installs schemathesis for the fuzz run.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensurePythonPackages } from '../../scripts/services/python-packages.mjs';
import { exitWith, isProgram, say } from '../../scripts/toolchain/process.mjs';

const here = dirname(fileURLToPath(import.meta.url));

/** Answers the Python interpreter and the folder for its PYTHONPATH with the packages of ./requirements.txt, each pinned by its hash. */
export function ensureSchemathesis(options = {}) {
  return ensurePythonPackages({ ...options, name: 'schemathesis', label: 'schemathesis', requirements: join(here, 'requirements.txt') });
}

async function main() {
  const { path } = await ensureSchemathesis();
  say(`Schemathesis is in ${path}.`);
  return 0;
}

if (isProgram(import.meta.url)) await exitWith(main);
