import { join } from 'node:path';

interface Cell {
  point: string;
  victim: string;
  fault: string;
}
interface Plan {
  everyCell(): { cells: Cell[]; left: { cell: Cell; why: string }[] };
  smokeCells(): Cell[];
  nameOf(cell: Cell): string;
  POINT_NAMES: string[];
  VICTIMS: string[];
  FAULTS: string[];
}
interface JournalOf {
  invoke(op: string, key: string, value?: unknown): void;
  ok(op: string, key: string, value?: unknown): void;
  fail(op: string, key: string, value?: unknown): void;
  unknown(op: string, key: string, value?: unknown): void;
  of(op: string): { key: string; outcome: string; result?: unknown }[];
}
const load = <T>(file: string): Promise<T> => import(join(__dirname, '..', 'faults', file)) as Promise<T>;

describe('the plan of the fault cells', () => {
  let plan: Plan;
  beforeAll(async () => {
    plan = await load<Plan>('cells/plan.mjs');
  });

  it('has every point with every victim and fault, or the reason why not', () => {
    const { cells, left } = plan.everyCell();
    const { POINT_NAMES, VICTIMS, FAULTS, nameOf } = plan;
    expect([POINT_NAMES.length, VICTIMS, FAULTS]).toEqual([22, ['worker', 'api', 'postgres', 'rabbitmq'], ['kill', 'stop', 'cut']]);
    expect(new Set([...cells, ...left.map(({ cell }) => cell)].map(nameOf)).size).toBe(22 * 4 * 3);
    expect(left.map(({ cell }) => nameOf(cell)).sort()).toEqual(
      ['P0', 'P1']
        .flatMap((point) => ['rabbitmq', 'worker'].flatMap((victim) => FAULTS.map((fault) => `${point}/${victim}/${fault}`)))
        .sort(),
    );
    expect(left.every(({ why }) => why.length > 20)).toBe(true);
  });

  it('has thirty cells for each change: every point, and every victim with every fault twice', () => {
    const cells = plan.smokeCells();
    const known = new Set(plan.everyCell().cells.map(plan.nameOf));
    expect(new Set(cells.map(plan.nameOf)).size).toBe(30);
    expect(cells.every((cell) => known.has(plan.nameOf(cell)))).toBe(true);
    expect(new Set(cells.map(({ point }) => point)).size).toBe(22);
    const pairs = Map.groupBy(cells, ({ victim, fault }) => `${victim} ${fault}`);
    expect(pairs.size).toBe(12);
    expect(Math.min(...[...pairs.values()].map((group) => group.length))).toBeGreaterThanOrEqual(2);
  });
});

describe('the journal of clients', () => {
  it('takes an answer over a lost one, and a lost one over a refusal', async () => {
    const { Journal } = await load<{ Journal: new () => JournalOf }>('journal.mjs');
    const journal = new Journal();
    for (const key of ['ok', 'lost', 'refused', 'open', 'late']) journal.invoke('ask', key);
    journal.unknown('ask', 'ok', 'reset');
    journal.ok('ask', 'ok', { job: 1 });
    journal.fail('ask', 'ok', '503');
    journal.fail('ask', 'lost', '503');
    journal.unknown('ask', 'lost', 'reset');
    journal.fail('ask', 'refused', '503');
    journal.unknown('ask', 'late', 'reset');
    journal.fail('ask', 'late', '503');
    journal.ok('run', 'other', {});
    expect(journal.of('ask').map(({ key, outcome }) => `${key} ${outcome}`)).toEqual([
      'ok ok',
      'lost unknown',
      'refused fail',
      'open unknown',
      'late unknown',
    ]);
    expect(journal.of('ask')[0]?.result).toEqual({ job: 1 });
  });
});
