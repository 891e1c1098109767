import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadScript } from './load-script';

const ROOT = resolve(__dirname, '..', '..');
const possible = process.platform === 'linux' && process.getuid?.() === 0;
/** Runs where root on Linux can; elsewhere it is shown as skipped, and with REQUIRE_SERVICES=1 it runs and fails. */
const itConfined = (title: string, test: () => Promise<void>): void =>
  possible || process.env.REQUIRE_SERVICES === '1' ? it(title, test) : it.skip(`${title}: needs root on Linux`, test);

interface Confinement {
  refusal(): string | undefined;
  runConfined(
    argumentsFor: (results: string) => string[],
    options: { env: (results: string) => NodeJS.ProcessEnv; results: string },
  ): Promise<number>;
}

/** Run inside: tries to write in every place, to become root again, to mount and to read; leaves what came of it in the results. */
function attempts([results, ...places]: string[]): void {
  const fs = process.getBuiltinModule('fs');
  const { execFileSync } = process.getBuiltinModule('child_process');
  const outcome = (work: () => unknown): string => {
    try {
      work();
      return 'done';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String((error as { status?: number }).status);
    }
  };
  const report = {
    user: [process.getuid?.(), process.getgid?.(), ...(process.getgroups?.() ?? [])],
    written: places.map((place) => outcome(() => fs.writeFileSync(`${place}/left-behind`, ''))),
    temporary: outcome(() => fs.writeFileSync(`${process.env.TMPDIR}/mine`, '')),
    root: outcome(() => process.setuid?.(0)),
    mount: outcome(() => execFileSync('mount', ['-o', 'remount,rw', '/'], { stdio: 'ignore' })) === 'done',
    namespace: outcome(() => execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' })) === 'done',
    tree: outcome(() => fs.readFileSync('package.json')),
  };
  fs.writeFileSync(`${results}/report.json`, JSON.stringify(report));
}

describe('the confinement', () => {
  let script: Confinement;
  let results: string;

  beforeAll(async () => {
    script = await loadScript<Confinement>('confinement/confinement.mjs');
    results = mkdtempSync(join(tmpdir(), 'sutazai-results-'));
  });

  afterAll(() => rmSync(results, { recursive: true, force: true }));

  itConfined('lets a program write to its temporary folder and the results, and nowhere else', async () => {
    expect(script.refusal()).toBeUndefined();
    const places = ['.', './dist', './.cache', ROOT, '/', '/etc', '/var/tmp', '/dev/shm', '/tmp', tmpdir(), homedir()];
    const code = `(${attempts.toString()})(process.argv.slice(1))`;
    const exit = await script.runConfined((inside) => ['-e', code, inside, ...places], { env: () => ({ ...process.env }), results });
    expect(exit).toBe(0);
    const report = JSON.parse(readFileSync(join(results, 'report.json'), 'utf8')) as { written: string[] };
    expect(report).toMatchObject({
      user: [10001, 10001, 10001],
      temporary: 'done',
      root: 'EPERM',
      mount: false,
      namespace: false,
      tree: 'done',
    });
    expect(report.written.filter((outcome) => !['EROFS', 'EACCES', 'ENOENT'].includes(outcome))).toEqual([]);
    expect([...places, results].filter((place) => existsSync(join(resolve(ROOT, place), 'left-behind')))).toEqual([]);
  });

  itConfined('answers how the program ended', async () => {
    const exit = await script.runConfined(() => ['-e', 'process.exit(3)'], { env: () => ({ ...process.env }), results });
    expect(exit).toBe(3);
  });
});
