// npm run check: everything that can be said about the sources without running the tests. Every step runs; one failure fails it. What was
// found about files that have not changed is remembered below .cache.
import { execFile } from 'node:child_process';
import { toolEntry } from './toolchain.mjs';
import { ROOT, environmentFor, exitWith } from './toolchain/process.mjs';

const STEPS = [
  {
    name: 'format',
    tool: 'prettier',
    args: ['--check', '--log-level=warn', '--cache', '--cache-strategy=content', '--cache-location=.cache/prettier', '.'],
  },
  { name: 'lint', tool: 'oxlint', args: [] },
  {
    name: 'types',
    tool: 'tsc',
    args: ['--noEmit', '--incremental', '--tsBuildInfoFile', '.cache/types.tsbuildinfo', '-p', 'tsconfig.json'],
  },
  { name: 'arrows', tool: 'depcruise', args: ['apps', 'libs', 'test', '--config', '.dependency-cruiser.cjs'] },
  { name: 'generated', tool: 'scripts/with-toolchain.mjs', args: ['build', 'scripts/sync.mjs', '--check'] },
];

await exitWith(async () => {
  const failed = [];
  for (const step of STEPS) {
    const started = Date.now();
    const { passed, output } = await execute(step);
    if (!passed) failed.push(step.name);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${step.name.padEnd(10)} ${passed ? 'ok' : 'FAILED'} (${seconds} s)\n${passed ? '' : output}`);
  }
  process.stdout.write(failed.length === 0 ? 'check: ok\n' : `check: failed (${failed.join(', ')})\n`);
  return failed.length === 0 ? 0 : 1;
});

function execute({ tool, args }) {
  const options = { cwd: ROOT, env: environmentFor(process.execPath), maxBuffer: 64 << 20 };
  return new Promise((done) => {
    execFile(process.execPath, [toolEntry(tool), ...args], options, (error, stdout, stderr) => {
      done({ passed: error === null, output: `${stdout}${stderr}` || String(error) });
    });
  });
}
