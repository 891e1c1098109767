// node scripts/services/python-openai.mjs: installs the official Python client of OpenAI for the tests.
import { join } from 'node:path';
import { ROOT, exitWith, isProgram, say } from '../toolchain/process.mjs';
import { ensurePythonPackages } from './python-packages.mjs';

const REQUIREMENTS = join(ROOT, 'test', 'clients', 'requirements.txt');

/** Answers the Python interpreter and the folder for its PYTHONPATH with the packages of test/clients/requirements.txt. */
export function ensurePythonOpenai(options = {}) {
  return ensurePythonPackages({ ...options, name: 'python-openai', label: 'the Python client', requirements: REQUIREMENTS });
}

async function main() {
  const { path } = await ensurePythonOpenai();
  say(`The Python client is in ${path}.`);
  return 0;
}

if (isProgram(import.meta.url)) await exitWith(main);
