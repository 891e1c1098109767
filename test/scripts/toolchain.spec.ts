import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadScript } from './load-script';

const ROOT = resolve(__dirname, '..', '..');

describe('the toolchain', () => {
  it.each([
    ['18.19.0', false],
    ['20.20.2', false],
    ['24.14.9', false],
    ['24.15.0', true],
    ['24.21.0', true],
    ['25.0.0', false],
    ['26.1.0', false],
  ])('Node %s is suitable: %s', async (version, suitable) => {
    const { isSuitable } = await loadScript<{ isSuitable(version: string): boolean }>('toolchain/node.mjs');
    expect(isSuitable(version)).toBe(suitable);
  });

  it('finds the entry of each tool, and refuses one it does not know', async () => {
    const { toolEntry } = await loadScript<{ toolEntry(tool: string): string }>('toolchain.mjs');
    const version = execFileSync(process.execPath, [toolEntry('prettier'), '--version'], { encoding: 'utf8' });
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(toolEntry('scripts/sync.mjs')).toBe(join(ROOT, 'scripts', 'sync.mjs'));
    expect(() => toolEntry('rm')).toThrow('"rm" is not a tool of this repository');
  });

  it('takes every source into the build, and no spec', async () => {
    const { sourceFiles } = await loadScript<{ sourceFiles(): string[] }>('toolchain/sources.mjs');
    const files = sourceFiles();
    expect(files).toEqual(expect.arrayContaining([join('libs', 'kernel', 'errors', 'index.ts')]));
    expect(files.filter((file) => /\.spec\.ts$|\.md$/.test(file))).toEqual([]);
  });

  it('reads .env below the environment, as the server will see it', async () => {
    type Settings = { environment(env: object, file: string): Record<string, string>; folders(env: object): Record<string, string> };
    const { environment, folders } = await loadScript<Settings>('settings.mjs');
    const folder = mkdtempSync(join(tmpdir(), 'settings-'));
    const file = join(folder, '.env');
    writeFileSync(file, '# comment\nPORT=1\nexport DATA_DIR="./my data"\nMODELS_MIRROR=http://localhost/m # near\n');
    const env = environment({ PORT: '2' }, file);
    rmSync(folder, { recursive: true });
    expect(env).toEqual({ PORT: '2', DATA_DIR: './my data', MODELS_MIRROR: 'http://localhost/m' });
    expect(folders(env)).toMatchObject({ modelsDir: join(ROOT, 'my data', 'models'), modelsMirror: 'http://localhost/m' });
    expect(folders({ MODELS_DIR: '/models' })).toMatchObject({ dataDir: join(ROOT, '.data'), modelsDir: resolve('/models') });
  });
});
