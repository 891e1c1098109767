// npm run attacks:mutants [-- --guard NAME … | --sample N] [--jobs N]: each guard switched off in turn; the tests of its cases must then be red.
// What was red is kept in last-red.json, unless it was a sample.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const HERE = import.meta.dirname;
const ROOT = join(HERE, '..', '..');
const LAST_RED = join(HERE, 'last-red.json');
const DEADLINE_MS = 300_000;
/** What a failed expectation says; a program that merely broke says something else. */
const EXPECTATION = /expect\(|AssertionError|Property failed/;

const { MUTANTS } = createRequire(import.meta.url)('./mutants/index.cjs');
const { values } = parseArgs({
  options: { guard: { type: 'string', multiple: true }, sample: { type: 'string' }, jobs: { type: 'string', default: '1' } },
});
process.exitCode = await main();

async function main() {
  const chosen = choose();
  const results = [];
  const rest = chosen.values();
  const work = async () => {
    for (const mutant of rest) {
      const result = await tried(mutant);
      results.push(result);
      // A sample is a check of the day, and leaves the tree as it is.
      if (values.sample === undefined) record(result);
      console.log(
        `${result.reds.length > 0 ? 'killed ' : 'ALIVE  '} ${mutant.guard} (${mutant.spec}, ${mutant.cases.join(' ')}): ${result.said}`,
      );
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  const killed = results.filter(({ reds }) => reds.length > 0).length;
  console.log(`${killed} of ${results.length} guards killed`);
  return killed === results.length ? 0 : 1;
}

function choose() {
  const unknown = (values.guard ?? []).filter((name) => !MUTANTS.some(({ guard }) => guard === name));
  if (unknown.length > 0) throw new Error(`No such guard: ${unknown.join(', ')}. Known: ${MUTANTS.map(({ guard }) => guard).join(', ')}.`);
  if (values.guard !== undefined) return MUTANTS.filter(({ guard }) => values.guard.includes(guard));
  if (values.sample === undefined) return MUTANTS;
  // Another part each day, and every guard in its turn.
  const size = Math.min(Number(values.sample), MUTANTS.length);
  const first = (Math.floor(Date.now() / 86_400_000) * size) % MUTANTS.length;
  return [...MUTANTS, ...MUTANTS].slice(first, first + size);
}

async function tried(mutant) {
  const folder = mkdtempSync(join(tmpdir(), 'sutazai-mutant-'));
  try {
    const report = join(folder, 'report.json');
    const started = performance.now();
    const ended = await jest(mutant, report);
    const seconds = `${((performance.now() - started) / 1000).toFixed(1)} s`;
    if (ended === 'deadline') return { mutant, reds: [], said: `no end within ${DEADLINE_MS / 1000} s` };
    return { mutant, ...judged(mutant, JSON.parse(readFileSync(report, 'utf8')), seconds) };
  } catch (error) {
    return { mutant, reds: [], said: error.message };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function jest({ guard, spec, cases }, report) {
  const path = `test/attacks/${spec}\\.spec\\.ts$`;
  const pattern = `\\b(${cases.join('|')})\\b`;
  const options = ['--selectProjects', 'attacks', '--testPathPatterns', path, '-t', pattern, '--json', '--outputFile', report, '--silent'];
  const child = spawn(process.execPath, ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', ...options], {
    cwd: ROOT,
    env: { ...process.env, ATTACK_CONTROL: guard },
    stdio: 'ignore',
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve('deadline');
    }, DEADLINE_MS);
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      resolve('end');
    });
  });
}

/** Red: an expectation of a test that bears one of the guard's cases failed. A suite that does not load, or a test that only breaks, is not. */
function judged({ cases, spec }, { testResults }, seconds) {
  const results = testResults.flatMap(({ assertionResults }) => assertionResults).filter(({ status }) => status !== 'pending');
  if (results.length === 0)
    return { reds: [], said: `no test of its cases ran: ${(testResults[0]?.message ?? 'none found').slice(0, 300)}` };
  const bearing = results.filter(({ fullName }) => cases.some((number) => new RegExp(`\\b${number}\\b`).test(fullName)));
  const reds = bearing.filter(({ failureMessages }) => failureMessages.some((message) => EXPECTATION.test(message)));
  const titles = reds.map(({ ancestorTitles, title }) => [spec, ...ancestorTitles, title].join(' › ')).sort();
  const broken = bearing.filter(({ status }) => status === 'failed').length - reds.length;
  return { reds: titles, said: `${reds.length} of ${bearing.length} tests red${broken > 0 ? `, ${broken} broken` : ''}, ${seconds}` };
}

/** Keeps what other runs saw of guards that still are. */
function record({ mutant, reds }) {
  const known = readKnown();
  if (reds.length > 0) known[mutant.guard] = { date: new Date().toISOString().slice(0, 10), tests: [...new Set(reds)] };
  else delete known[mutant.guard];
  const kept = Object.entries(known).filter(([guard]) => MUTANTS.some((other) => other.guard === guard));
  writeFileSync(LAST_RED, `${JSON.stringify(Object.fromEntries(kept.sort(([one], [other]) => (one < other ? -1 : 1))), null, 2)}\n`);
}

function readKnown() {
  try {
    return JSON.parse(readFileSync(LAST_RED, 'utf8'));
  } catch {
    return {};
  }
}
