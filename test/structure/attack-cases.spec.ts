import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadScript } from '../scripts/load-script';

const ROOT = join(__dirname, '..', '..');

interface Mutant {
  guard: string;
  file: string;
  find: string;
  replace: string;
  spec: string;
  cases: string[];
}
interface CaseTest {
  file: string;
  title: string;
  cases: string[];
}
interface Case {
  about: string;
  state: 'test' | 'absent' | 'later' | 'n/a';
  until?: string;
  why?: string;
}

describe('the attack cases', () => {
  const cases = jest.requireActual<Record<string, Case>>('../attacks/cases.cjs');
  const { MUTANTS: mutants } = jest.requireActual<{ MUTANTS: Mutant[] }>('../attacks/mutants/index.cjs');
  let tests: CaseTest[];
  beforeAll(async () => {
    const { attackTests } = await loadScript<{ attackTests(root: string): CaseTest[] }>('sync/attack-tests.mjs');
    tests = attackTests(ROOT);
  });

  it('are numbered in order, and each says what it is and where it stands', () => {
    expect(Object.keys(cases)).toEqual(Object.keys(cases).sort());
    expect(Object.keys(cases).length).toBe(146);
    for (const [number, { about, state, until, why }] of Object.entries(cases)) {
      expect([number, about.length > 10]).toEqual([number, true]);
      expect([number, state === 'later', state === 'n/a']).toEqual([number, until !== undefined, why !== undefined]);
    }
  });

  it('have a test each, unless they come later or cannot be', () => {
    const tested = new Set(tests.flatMap((test) => test.cases));
    const demanded = Object.keys(cases).filter((number) => ['test', 'absent'].includes(cases[number]?.state ?? ''));
    expect(demanded.filter((number) => !tested.has(number))).toEqual([]);
  });

  it('are all that tests bear numbers of', () => {
    expect(tests.filter((test) => test.cases.some((number) => cases[number] === undefined))).toEqual([]);
  });

  it('have guards that can be switched off: at least forty, each with a name of its own', () => {
    const names = mutants.map(({ guard }) => guard);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    expect(names.length).toBeGreaterThanOrEqual(40);
  });

  it('have guards that stand where the mutants say, once', () => {
    const times = ({ file, find }: Mutant) => readFileSync(join(ROOT, file), 'utf8').split(find).length - 1;
    expect(mutants.filter((mutant) => times(mutant) !== 1).map(({ guard }) => guard)).toEqual([]);
    expect(mutants.filter(({ find, replace }) => find === replace)).toEqual([]);
  });

  it('have guards whose spec is there and bears every case of theirs', () => {
    const borne = (spec: string) => tests.filter(({ file }) => file === `test/attacks/${spec}`).flatMap((test) => test.cases);
    expect(mutants.filter(({ spec }) => !existsSync(join(ROOT, 'test', 'attacks', `${spec}.spec.ts`))).map(({ guard }) => guard)).toEqual(
      [],
    );
    const unborne = mutants.flatMap(({ guard, spec, cases: own }) =>
      own.filter((number) => !borne(spec).includes(number)).map((number) => [guard, number]),
    );
    expect(unborne).toEqual([]);
    expect(mutants.filter((mutant) => mutant.cases.length === 0)).toEqual([]);
  });
});
