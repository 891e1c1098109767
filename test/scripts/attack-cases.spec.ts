import { loadScript } from './load-script';

interface CaseTest {
  title: string;
  cases: string[];
}
interface Scanner {
  testsIn(source: string): CaseTest[];
}
interface Page {
  attackCasesPage(
    cases: Record<string, { about: string; state: string; until?: string; why?: string }>,
    tests: (CaseTest & { file: string })[],
    lastRed: Record<string, { date: string; tests: string[] }>,
  ): string;
}

describe('the scan of tests for numbers of cases', () => {
  let scan: Scanner['testsIn'];
  beforeAll(async () => {
    scan = (await loadScript<Scanner>('sync/attack-tests.mjs')).testsIn;
  });

  it.each([
    ["it('A01 refuses', () => {});", [['A01 refuses', 'A01']]],
    ["it('A01, B02 and C03 refuse', () => {});", [['A01, B02 and C03 refuse', 'A01 B02 C03']]],
    ["it('A01 B02: refuse', () => {});", [['A01 B02: refuse', 'A01 B02']]],
    [
      "describe('A01 all', () => { it('B02 one', () => {}); it('two', () => {}); });",
      [
        ['A01 all › B02 one', 'A01 B02'],
        ['A01 all › two', 'A01'],
      ],
    ],
    ["it.each([1, 2])('A01 by %i', () => {});", [['A01 by %i', 'A01']]],
    [
      "it.each([['A01 one', 1], ['B02 two', 2]] as const)('%s holds', () => {});",
      [
        ['A01 one holds', 'A01'],
        ['B02 two holds', 'B02'],
      ],
    ],
    ["const ROWS = ['A01 x']; describe.each(ROWS)('%s', () => { it('y', () => {}); });", [['A01 x › y', 'A01']]],
    ["const ALL = { 'A01 x': 1, y: 2 }; it.each(Object.entries(ALL))('%s', () => {});", [['A01 x', 'A01']]],
    [
      "const ONE = { 'A01 x': 1 }; describe.each([[ONE]])('all', (rows) => { it.each(Object.keys(rows))('%s', () => {}); });",
      [['all › A01 x', 'A01']],
    ],
    ['it.each`a\n${1}`("A01 by $a", () => {});', [['A01 by $a', 'A01']]],
    ["describeDatabases('A01 all', (kind) => { it('one', () => {}); });", [['A01 all › one', 'A01']]],
    ['it(`A01 in ${ROUNDS} rounds`, () => {});', [['A01 in %s rounds', 'A01']]],
    ["it('refuses A01', () => {});", []],
    ["it('A011 is no case, A1 neither', () => {});", []],
    ["// it('A01 not here')\nconst text = 'A01 neither';", []],
    ["other('A01 neither', () => {});", []],
  ])('%s', (source, expected) => {
    expect(scan(source).map(({ title, cases }) => [title, cases.join(' ')])).toEqual(expected);
  });
});

describe('the page of attack cases', () => {
  it('names for each case its tests and the guards that turned one of them red', async () => {
    const { attackCasesPage } = await loadScript<Page>('sync/attack-cases-page.mjs');
    const file = 'test/attacks/cases/ssrf';
    const page = attackCasesPage(
      {
        A01: { about: 'one | two', state: 'test' },
        A02: { about: 'three', state: 'later', until: 'a feature' },
        A03: { about: 'four', state: 'n/a', why: 'There is none.' },
        A04: { about: 'five', state: 'absent' },
      },
      [
        { file, title: 'all › A01 by %s (a)', cases: ['A01'] },
        { file, title: 'A01 <b>', cases: ['A01', 'A04'] },
        ...['A01 c', 'A01 d', 'A01 e'].map((title) => ({ file, title, cases: ['A01'] })),
      ],
      {
        first: { date: '2026-01-02', tests: ['cases/ssrf › all › A01 by anybody (a)'] },
        second: { date: '2026-01-03', tests: ['cases/ssrf › A01 <b>'] },
        third: { date: '2026-01-04', tests: ['cases/other › A01 <b>', 'cases/ssrf › all › A01 by anybody'] },
      },
    );
    expect(page.split('\n').filter((line) => line.startsWith('| A'))).toEqual([
      '| A01 | one \\| two | test | `cases/ssrf`: “A01 by %s (a)”, “A01 &lt;b>”, “A01 c” and 2 more | first (2026-01-02), second (2026-01-03) |',
      '| A02 | three | later: a feature |  |  |',
      '| A03 | four | n/a: There is none. |  |  |',
      '| A04 | five | absent | `cases/ssrf`: “A01 &lt;b>” | second (2026-01-03) |',
    ]);
    expect(page).toContain('4 cases: 1 test, 1 absent, 1 later, 1 n/a.');
  });
});
