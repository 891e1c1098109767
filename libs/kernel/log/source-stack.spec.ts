import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import { sourceStack } from './source-stack';

const SOURCE = `interface Unused {
  gone: string;
}

export function fail(): never {
  throw new Error('broken');
}

fail();
`;

describe('sourceStack', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sutazai-test-'));
    const { code, map = '' } = transformSync(SOURCE, {
      filename: join(folder, 'fail.ts'),
      sourceMaps: true,
      module: { type: 'commonjs' },
      jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
    });
    writeFileSync(join(folder, 'fail.js'), code);
    writeFileSync(join(folder, 'fail.js.map'), map);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('tells the place in the source', () => {
    const script = `try { require(${JSON.stringify(join(folder, 'fail.js'))}) } catch (error) { process.stdout.write(error.stack) }`;
    const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(stdout).toContain(join(folder, 'fail.js'));
    const told = sourceStack(stdout).split('\n');
    expect(told[0]).toBe('Error: broken');
    expect(told[1]).toContain(`${join(folder, 'fail.ts')}:6:`);
    expect(told[2]).toContain(`${join(folder, 'fail.ts')}:9:`);
  });

  it('leaves what has no map, and what is no place, as it is', () => {
    const stack = `Error: at (/nowhere/x.js:1:2)\n    at f (${join(folder, 'other.js')}:3:4)\n    at node:internal/x:1:2\n    at async ${join(folder, 'node_modules', 'a.js')}:1:1`;
    expect(sourceStack(stack)).toBe(stack);
  });
});
