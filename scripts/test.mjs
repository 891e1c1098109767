// npm test [jest arguments]: models, a real PostgreSQL 16 and a real Ollama where possible, all suites; the last line is "N passed, N failed".
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureModels } from './models.mjs';
import { startOllama, startPostgres } from './services.mjs';
import { toolEntry } from './toolchain.mjs';
import { scanForSecrets } from './test/secrets-scan.mjs';
import { environmentFor, exitWith, runForeground, say } from './toolchain/process.mjs';

const required = process.env.REQUIRE_SERVICES === '1';

/** What the suites need, by the variable under which they look for it: one that is set already names a server to use. */
const SERVICES = [
  { variable: 'TEST_DATABASE_URL', name: 'PostgreSQL 16', start: startPostgres },
  { variable: 'TEST_OLLAMA_URL', name: 'Ollama', start: startOllama },
];

await exitWith(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sutazai-test-'));
  const result = join(folder, 'result.json');
  const started = [];
  try {
    const traces = join(folder, 'traces');
    const tested = (await prepare(started)) || (await runJest(result, { TEST_TRACES: traces, ...urlsOf(started) }));
    const code = (await reportSecrets(traces)) || tested;
    process.stdout.write(`${summary(result, code)}\n`);
    return code;
  } finally {
    for (const { service } of started) await service.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Fetches the models and starts the services side by side; answers an exit code, 0 when the tests can run. */
async function prepare(started) {
  const code = await ensureModels(process.execPath);
  if (code !== 0) return code;
  const wanted = SERVICES.filter(({ variable }) => !process.env[variable]);
  const results = await Promise.all(wanted.map((service) => startOne(service, started)));
  return results.every(Boolean) || !required ? 0 : 1;
}

async function startOne({ variable, name, start }, started) {
  try {
    started.push({ variable, service: await start() });
    return true;
  } catch (error) {
    say(`${name} is not there: ${error.message}`);
    if (!required) say('Going on without it: its suites are skipped (REQUIRE_SERVICES=1 makes this a failure).');
    return false;
  }
}

function urlsOf(started) {
  return Object.fromEntries(started.map(({ variable, service }) => [variable, service.url]));
}

function runJest(result, variables) {
  const env = environmentFor(process.execPath, variables);
  const args = ['--json', `--outputFile=${result}`, ...process.argv.slice(2)];
  return runForeground(process.execPath, ['--experimental-vm-modules', '--no-warnings', toolEntry('jest'), ...args], { env });
}

/** Nothing that a server of the suites wrote for others to read may hold a secret. */
async function reportSecrets(traces) {
  const { files, lines, secrets, found } = await scanForSecrets(traces);
  say(`secrets: ${found.length} found in ${lines} lines of ${files} servers (${secrets} known secrets and kinds of secrets)`);
  for (const { file, line, what } of found.slice(0, 20)) say(`  ${file}:${line}: ${what}`);
  return found.length === 0 ? 0 : 1;
}

/** A suite that did not even load counts as one failed; so does a run that ended badly without saying where. */
function summary(result, code) {
  const found = read(result);
  const passed = found?.numPassedTests ?? 0;
  const failed = (found?.numFailedTests ?? 0) + (found?.numRuntimeErrorTestSuites ?? 0);
  const skipped = (found?.numPendingTests ?? 0) + (found?.numTodoTests ?? 0);
  const counted = failed === 0 && code !== 0 ? 1 : failed;
  return `${passed} passed, ${counted} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
