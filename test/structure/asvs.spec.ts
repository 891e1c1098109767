import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';

const ROOT = join(__dirname, '..', '..');
/** Requirements of level 1 and 2 in OWASP ASVS 5.0.0, by chapter. */
const BY_CHAPTER = [27, 11, 19, 10, 9, 35, 18, 7, 7, 29, 14, 9, 13, 9, 13, 16, 7];
const STATES = ['test', 'config', 'n/a', 'open'];

interface Row {
  id: string;
  level: string;
  requirement: string;
  state: string;
  evidence: string;
}

const rows: Row[] = parse(readFileSync(join(ROOT, 'docs', 'asvs.csv')), { columns: true });
const scripts = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts;

/** The places named by one cell: `a; b (words)`, with the part after `:` or `#` left out. */
function places(evidence: string): string[] {
  return [...evidence.matchAll(/(?:apps|libs|test|docs|deploy)\/[\w./-]+[\w]|[A-Z]+\.md/g)].map(([place]) => place);
}

describe('docs/asvs.csv', () => {
  it('holds every requirement of level 2 once', () => {
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    expect(rows.every(({ id, level }) => /^V\d{1,2}\.\d{1,2}\.\d{1,2}$/.test(id) && ['1', '2'].includes(level))).toBe(true);
    expect(BY_CHAPTER.map((_, at) => rows.filter(({ id }) => id.startsWith(`V${at + 1}.`)).length)).toEqual(BY_CHAPTER);
  });

  it('has no empty cell and no state of its own invention', () => {
    for (const row of rows) expect([row.id, Object.values(row).every((cell) => cell.trim() !== '')]).toEqual([row.id, true]);
    expect([...new Set(rows.map(({ state }) => state))].filter((state) => !STATES.includes(state))).toEqual([]);
  });

  it.each(rows.filter(({ state }) => state === 'test'))('$id names tests that are there: $evidence', ({ evidence }) => {
    const named = places(evidence);
    const run = [...evidence.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name ?? '');
    expect(named.length + run.length).toBeGreaterThan(0);
    expect(named.filter((place) => !existsSync(join(ROOT, place)))).toEqual([]);
    expect(run.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  it.each(rows.filter(({ state, evidence }) => state === 'config' && places(evidence).length > 0))(
    '$id names places that are there: $evidence',
    ({ evidence }) => {
      expect(places(evidence).filter((place) => !existsSync(join(ROOT, place)))).toEqual([]);
    },
  );
});
