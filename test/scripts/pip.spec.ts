import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from '../support/until';

const SCRIPT = resolve(__dirname, '..', '..', 'scripts', 'files', 'pip.mjs');
/** Says that it is pip, and then downloads for ever. */
const PYTHON = '#!/bin/sh\n[ "$3" = --version ] && exit 0\necho $$ > "$PIP_PID"\nexec sleep 600\n';

function runs(pid: number): boolean {
  try {
    // A process that has ended and that nobody has asked about yet does not run.
    return !/^State:\s+Z/mu.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('pip as it is called for a wheel', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sutazai-pip-'));
    writeFileSync(join(folder, 'python3'), PYTHON);
    chmodSync(join(folder, 'python3'), 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('ends with the process that called it', async () => {
    const pidFile = join(folder, 'pid');
    const program = `process.once('SIGTERM', () => process.exit(75)); (await import(${JSON.stringify(SCRIPT)})).downloadWheel('x==1', ${JSON.stringify(folder)})`;
    const caller = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      env: { PATH: `${folder}:/usr/bin:/bin`, PIP_PID: pidFile },
      stdio: 'ignore',
    });
    const ended = new Promise((done) => caller.once('exit', done));
    await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith('\n'), 30_000);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(runs(pid)).toBe(true);
    caller.kill('SIGTERM');
    expect(await ended).toBe(75);
    await until(() => !runs(pid));
  });
});
