import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '@kernel/config';

const ROOT = join(__dirname, '..', '..');
const EXAMPLE = [...readFileSync(join(ROOT, '.env.example'), 'utf8').matchAll(/^# ([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(
  ([, name = '', value = '']) => ({ name, value }),
);
/** Set by the platform's environment rather than by whoever configures it. */
const NOT_OURS = ['NODE_ENV'];

describe('.env.example', () => {
  it('shows every setting that is read, once', () => {
    const source = ['parse-config.ts', 'services-part.ts']
      .map((file) => readFileSync(join(ROOT, 'libs', 'kernel', 'config', file), 'utf8'))
      .join('\n');
    const unsupported = /const UNSUPPORTED = \[([^\]]*)\]/.exec(source)?.[1] ?? '';
    const read = [
      ...source
        .replace(unsupported, '')
        .matchAll(/(?:text|secret|integer|choice|list|seconds|days|slug|perModel)\(\s*'([A-Z][A-Z0-9_]*)'/g),
    ].map(([, name]) => name);
    expect(read.length).toBeGreaterThan(30);
    expect(EXAMPLE.map(({ name }) => name).sort()).toEqual([...new Set(read)].filter((name) => !NOT_OURS.includes(name ?? '')).sort());
  });

  it('shows the true defaults', () => {
    expect(parseConfig(Object.fromEntries(EXAMPLE.map(({ name, value }) => [name, value])))).toEqual(parseConfig({}));
  });
});
