// npm test [jest arguments]: models, a real PostgreSQL 16 and a real Ollama where possible, all suites; the last line is "N passed, N failed".
// npm run test:services [-- jest arguments]: every real server that can run here, and the suites of the backing services.
// npm run test:confined [-- jest arguments]: the e2e suites as a user without rights on a read-only machine, as continuous integration runs them.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathInTree, refusal, runConfined } from './confinement/confinement.mjs';
import { ensureModels } from './models.mjs';
import { keptServices } from './services/kept.mjs';
import { ensurePythonOpenai } from './services/python-openai.mjs';
import { SERVICES, startService, variablesOf } from './services/table.mjs';
import { toolEntry } from './toolchain.mjs';
import { scanForSecrets } from './test/secrets-scan.mjs';
import { ROOT, StepError, environmentFor, exitWith, runForeground, say } from './toolchain/process.mjs';

const required = process.env.REQUIRE_SERVICES === '1';

/** What the suites of the product itself need; the others belong to the suites of the services. A variable that is set already names a server to use. */
const ALWAYS = ['postgres', 'ollama'];
const PROJECTS = ['unit', 'medium', 'attacks'];
const FILE = 'result.json';
const JEST = ['--experimental-vm-modules', '--no-warnings'];
/** A client that a killed server left behind must not keep a run that is over. */
const SUITES_OF_SERVICES = ['--selectProjects', 'services', '--forceExit'];
/**
 * Suites that may run once more, in continuous integration: those of the services kill servers and measure against the contract's own times, two
 * at once on few cores; of every other round two. More than these do not fail for want of a core.
 */
const MOST_AGAIN = { services: 8, others: 2 };

await exitWith(async () => {
  const rounds = plan(process.argv.slice(2));
  const folder = mkdtempSync(join(tmpdir(), 'sutazai-test-'));
  const started = [];
  try {
    let code = await prepare(started, rounds);
    if (code === 0) for (const round of rounds) code = (await runRound(round, folder)) || code;
    process.stdout.write(`${summary(folder, code)}\n`);
    return code;
  } finally {
    await Promise.allSettled(started.map((service) => service.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
});

/**
 * What to run: `--services` asks for the suites of the backing services, `--confined` asks for the e2e suites in their confinement, anything else goes to jest as it is. With nothing asked for,
 * continuous integration (as root on Linux) runs each suite once, those of e2e confined; where the kernel refuses that, it says so aloud.
 */
function plan(args) {
  const services = { name: 'services', select: SUITES_OF_SERVICES, args: [], again: MOST_AGAIN.services };
  if (args[0] === '--services') return [{ ...services, args: args.slice(1) }];
  const asked = args[0] === '--confined';
  const integration = process.env.CI === 'true' && required && process.platform === 'linux' && process.getuid() === 0;
  if (!asked && (args.length > 0 || !integration)) return [{ name: 'all', select: [], args, again: 0 }];
  const reason = refusal();
  if (reason !== undefined) {
    if (asked) throw new StepError(`The e2e suites cannot run confined here: ${reason}.`);
    say(`ATTENTION: the e2e suites do NOT run confined here: ${reason}.`);
    return [{ name: 'all', select: [], args, again: 0 }];
  }
  const confined = { name: 'confined', select: ['--selectProjects', 'e2e'], args: args.slice(1), confined: true, again: MOST_AGAIN.others };
  const open = { name: 'open', select: ['--selectProjects', ...PROJECTS], args: [], again: MOST_AGAIN.others };
  return asked ? [confined] : [open, services, confined];
}

/** Fetches the models and starts the services side by side; answers an exit code, 0 when the tests can run. */
async function prepare(started, rounds) {
  const code = await ensureModels(process.execPath);
  if (code !== 0) return code;
  // Inside the confinement nothing can be installed any more.
  if (required && rounds.some(({ confined }) => confined)) await ensurePythonOpenai();
  const all = rounds.some(({ name, args }) => name === 'services' || (name === 'all' && required && namesServices(args)));
  const kept = (await keptServices()) ?? {};
  const wanted = Object.keys(SERVICES).filter(
    (name) => !process.env[SERVICES[name].variable] && (all || ALWAYS.includes(name) || kept[name]),
  );
  const results = await Promise.all(wanted.map((name) => findOne(name, kept[name], started)));
  return results.every(Boolean) || !required ? 0 : 1;
}

/** Whether jest will run the suites of the backing services. */
function namesServices(args) {
  return args.length === 0 || args.includes('services');
}

/** A server that `services:up` keeps is used as it is; any other is started for this run alone. */
async function findOne(name, kept, started) {
  try {
    const server = kept?.state === 'up' ? kept : await startService(name);
    if (server !== kept) started.push(server);
    Object.assign(process.env, variablesOf(name, server));
    return true;
  } catch (error) {
    say(`${SERVICES[name].label} is not there: ${error.message}`);
    if (!required) say('Going on without it: its suites are skipped (REQUIRE_SERVICES=1 makes this a failure).');
    return false;
  }
}

/** One round of jest; answers its exit code, or 1 when a server of its suites wrote a secret where others may read it. */
async function runRound(round, folder) {
  const results = join(folder, round.name);
  mkdirSync(results);
  if (round.confined) say('The e2e suites run confined: user 10001, no capabilities, everything read-only but a temporary folder.');
  let tested = await runJest(round, results, round.args);
  if (tested !== 0) tested = await again(round, results);
  return (await reportSecrets(join(results, 'traces'))) || tested;
}

/** Answers jest's exit code; its report lies in the folder `results`. */
async function runJest({ select, confined }, results, args) {
  const jest = (place) => [...JEST, relative(ROOT, toolEntry('jest')), ...select, '--json', `--outputFile=${join(place, FILE)}`, ...args];
  const env = (place) => environmentFor(process.execPath, { TEST_TRACES: join(place, 'traces') });
  if (confined) return runConfined(jest, { env, results });
  return runForeground(process.execPath, jest(results), { env: env(results) });
}

/** The few suites that failed run once more, alone, and that run counts. Which ones is said aloud. */
async function again(round, results) {
  const first = read(join(results, FILE));
  const failed = first?.testResults.filter(({ status }) => status === 'failed').map(({ name }) => name) ?? [];
  if (failed.length === 0 || failed.length > round.again) return 1;
  const paths = failed.map((name) => pathInTree(name));
  for (const path of paths) say(`ATTENTION: ${path} failed beside others; it runs again, alone.`);
  const second = join(results, 'again');
  mkdirSync(second);
  const tested = await runJest(round, second, ['--runInBand', '--runTestsByPath', ...paths]);
  writeFileSync(join(results, FILE), JSON.stringify(joined(first, failed, read(join(second, FILE)))));
  return (await reportSecrets(join(second, 'traces'))) || tested;
}

/** The first run without the suites that ran again, and their second run. */
function joined(first, failed, second) {
  const kept = first.testResults.filter(({ name }) => !failed.includes(name)).flatMap(({ assertionResults }) => assertionResults);
  const count = (status) => kept.filter((result) => result.status === status).length;
  return {
    numPassedTests: count('passed') + (second?.numPassedTests ?? 0),
    numFailedTests: second === undefined ? failed.length : second.numFailedTests + second.numRuntimeErrorTestSuites,
    numPendingTests: count('pending') + (second?.numPendingTests ?? 0),
  };
}

/** Nothing that a server of the suites wrote for others to read may hold a secret. */
async function reportSecrets(traces) {
  const { files, lines, secrets, found } = await scanForSecrets(traces);
  say(`secrets: ${found.length} found in ${lines} lines of ${files} servers (${secrets} known secrets and kinds of secrets)`);
  for (const { file, line, what } of found.slice(0, 20)) say(`  ${file}:${line}: ${what}`);
  return found.length === 0 ? 0 : 1;
}

/** Over all rounds: a suite that did not even load counts as one failed; so does a run that ended badly without saying where. */
function summary(folder, code) {
  const found = readdirSync(folder).map((name) => read(join(folder, name, FILE)));
  const sum = (...names) => found.reduce((total, each) => names.reduce((count, name) => count + (each?.[name] ?? 0), total), 0);
  const passed = sum('numPassedTests');
  const failed = sum('numFailedTests', 'numRuntimeErrorTestSuites');
  const skipped = sum('numPendingTests', 'numTodoTests');
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
