import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from '@swc/core';

interface Place {
  point: string;
  file?: string;
  with?: string;
}
const { FILES, POINTS, withPoints } = jest.requireActual<{
  FILES: string[];
  POINTS: Place[];
  withPoints(file: string, source: string): string;
}>('../faults/failpoints/places.cjs');

const ROOT = join(__dirname, '..', '..');
const RUN = 'const run: Run = { job, done: this.execute(job, controller) };';
const MARK = /fail-?_?points?\b/i;

function* files(folder: string): Generator<string> {
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (/\.(ts|js|map|json)$/.test(entry.name)) yield path;
  }
}

describe('failpoints', () => {
  it('are all crash points of an ingest and of a chat run', () => {
    const names = [...Array.from({ length: 15 }, (_, n) => `P${n}`), ...Array.from({ length: 7 }, (_, n) => `Q${n}`)];
    expect(POINTS.map(({ point }) => point)).toEqual(names);
  });

  it.each(FILES)('have their places in %s, which compiles with them', (file) => {
    const source = readFileSync(join(ROOT, file), 'utf8');
    const changed = withPoints(file, source);
    expect(changed).not.toBe(source);
    for (const { point } of POINTS.filter((place) => place.file === file)) expect(changed).toContain(`'${point}'`);
    expect(() => parseSync(changed, { syntax: 'typescript', decorators: true })).not.toThrow();
  });

  it('say which place is gone', () => {
    const file = 'libs/features/jobs/job-runner.service.ts';
    const source = readFileSync(join(ROOT, file), 'utf8').replace(RUN, '');
    expect(() => withPoints(file, source)).toThrow(`P8: "${RUN}" stands 0 times in ${file}, not once`);
    expect(() => withPoints(file, `${source} ${RUN} ${RUN}`)).toThrow('2 times');
  });

  it('are not in the sources, nor in the build that is shipped', () => {
    const trees = ['apps', 'libs', ...(existsSync(join(ROOT, 'dist')) ? ['dist'] : [])];
    const found = trees.flatMap((tree) => [...files(tree)]).filter((path) => MARK.test(readFileSync(join(ROOT, path), 'utf8')));
    expect(found).toEqual([]);
    // The same search finds a point where there is one.
    expect(withPoints(FILES[0]!, readFileSync(join(ROOT, FILES[0]!), 'utf8'))).toMatch(MARK);
  });
});
