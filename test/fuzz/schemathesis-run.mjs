// One process of schemathesis over the OpenAPI document of a running server.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/**
 * Answers { counts: { "METHOD /path status": requests }, findings, complete: whether it came to its end } of one process; `given` is
 * { tool: from ensureSchemathesis, url, nursery, report: file to write, seed, examples: for each operation, phases }.
 */
export async function runSchemathesis(given) {
  // One worker: threads that parse Python source at the same time trip over each other (CPython before 3.13).
  const args = ['-m', 'schemathesis.cli', '--config-file', join(here, 'schemathesis.toml'), 'run', `${given.url}/docs/openapi.json`];
  const options = [
    `--url=${given.url}`,
    `--seed=${given.seed}`,
    `--max-examples=${given.examples}`,
    `--phases=${given.phases}`,
    '--workers=1',
    '--report=json',
    `--report-json-path=${given.report}.json`,
  ];
  const child = spawn(given.tool.python, [...args, ...options], {
    cwd: dirname(given.report),
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      PYTHONPATH: `${given.tool.path}:${here}`,
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONHASHSEED: '0',
      SCHEMATHESIS_HOOKS: 'hooks',
      FUZZ_NURSERY: given.nursery,
      FUZZ_REPORT: given.report,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said = (said + bytes).slice(-20_000)));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  const lines = existsSync(given.report) ? readFileSync(given.report, 'utf8').trim().split('\n') : [];
  const rows = lines.filter((line) => line !== '').map((line) => JSON.parse(line));
  const counts = rows.find((row) => row.counts !== undefined)?.counts ?? {};
  const verdict = existsSync(`${given.report}.json`) ? JSON.parse(readFileSync(`${given.report}.json`, 'utf8')) : undefined;
  // 0: nothing found, 1: something found; anything else: it did not work.
  const complete = (code === 0 || code === 1) && verdict?.complete === true && verdict.errors.length === 0;
  return {
    counts,
    findings: rows.filter((row) => row.check !== undefined),
    complete,
    reason: `exit ${code}, ${JSON.stringify(verdict?.errors)}`,
    said,
  };
}
