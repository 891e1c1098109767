// npm run faults -- --cells smoke|all|clock|disk [--seeds 1] [--points P0,P8,…] [--victims worker,…] [--kinds kill,stop,cut] [--stop-seconds 10] [--minutes N] [--resume]
// The fault matrix: at every crash point of an ingest (P0-P14) and of a chat run (Q0-Q6) each victim is killed, stopped or cut off, on one warm map of real
// servers, and every invariant is checked after each cell. `smoke` are thirty cells of it; `clock` sets a process's wall clock by two hours, `disk` fills the
// disk of a server. Prints a line for each cell and a table; exits 1 on any violation.
// `--resume` goes on after the cells that an earlier run of the same seed has passed; `--minutes` ends a run early and says what is left.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { repository } from '../support/server.mjs';
import { runCell } from './cells/cell.mjs';
import { clockCells, diskCells, everyCell, FAULTS, nameOf, POINT_NAMES, smokeCells, VICTIMS } from './cells/plan.mjs';
import { Rig } from './cells/rig.mjs';
import { say, sayTable } from './cells/table.mjs';
import { Journal } from './journal.mjs';
import { generator } from './random.mjs';

const { values: options } = parseArgs({
  options: {
    cells: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    points: { type: 'string', default: POINT_NAMES.join(',') },
    victims: { type: 'string', default: VICTIMS.join(',') },
    kinds: { type: 'string', default: FAULTS.join(',') },
    'stop-seconds': { type: 'string' },
    minutes: { type: 'string', default: '600' },
    resume: { type: 'boolean', default: false },
  },
});
const chosen = (name, known) => {
  const values = options[name].split(',');
  const unknown = values.find((value) => !known.includes(value));
  if (unknown !== undefined) throw new Error(`--${name} ${unknown}: one of ${known.join(', ')}`);
  return new Set(values);
};
const wanted = { points: chosen('points', POINT_NAMES), victims: chosen('victims', VICTIMS), kinds: chosen('kinds', FAULTS) };
const isWanted = ({ point, victim, fault }) =>
  wanted.points.has(point) && wanted.victims.has(victim) && (wanted.kinds.has(fault) || !FAULTS.includes(fault));
const MEBIBYTE = 2 ** 20;
/** Cells by name, and the map that they need. */
const SETS = {
  smoke: { cells: smokeCells },
  all: { cells: () => everyCell().cells },
  clock: { cells: clockCells, map: { clocks: true } },
  disk: { cells: diskCells, map: { disks: { postgres: 512 * MEBIBYTE, rabbitmq: 256 * MEBIBYTE } } },
};
const set = SETS[options.cells];
if (set === undefined) throw new Error(`--cells ${options.cells}: one of ${Object.keys(SETS).join(', ')}`);
const cells = set.cells().filter(isWanted);
const left = options.cells === 'all' ? everyCell().left.filter(({ cell }) => isWanted(cell)) : [];
const stopMs = options['stop-seconds'] === undefined ? undefined : Number(options['stop-seconds']) * 1_000;

const folder = join(repository, '.cache', 'faults');
const record = join(folder, `${options.cells}.json`);
const results = options.resume && existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : [];
const isDone = (seed, cell) => results.some((each) => each.seed === seed && each.name === nameOf(cell) && each.violations.length === 0);
const todo = Array.from({ length: Number(options.seeds) }, (_, n) => n + 1).flatMap((seed) =>
  cells.filter((cell) => !isDone(seed, cell)).map((cell) => ({ seed, cell })),
);

const began = performance.now();
const rig = await Rig.start(set.map);
for (const name of ['SIGINT', 'SIGTERM'])
  process.once(name, () => {
    process.exitCode = 1;
    void rig.stop().finally(() => process.exit());
  });
say(`the map is up after ${((performance.now() - began) / 1_000).toFixed(1)} s; ${todo.length} cells`);
// What clients were told holds for the whole run: what a later cell loses is lost as well.
const journal = new Journal();
const reads = new Map();
let undone = 0;
// What was broken stays broken: it counts once, in the cell that broke it.
const known = new Set();
try {
  for (const [at, { seed, cell }] of todo.entries()) {
    if (performance.now() - began > Number(options.minutes) * 60_000) {
      undone = todo.length - at;
      break;
    }
    const from = performance.now();
    const name = nameOf(cell);
    const random = generator(seed * 1_000 + POINT_NAMES.indexOf(cell.point));
    const result = await runCell(cell, { rig, journal, reads, name: `${name} seed ${seed}`, random, stopMs });
    result.violations = result.violations.filter(({ text }) => !known.has(text));
    for (const { text } of result.violations) known.add(text);
    const took = (performance.now() - from) / 1_000;
    results.push({ seed, name, ...cell, ...result, took });
    const { accepted, answered } = result.seconds;
    const told = result.violations.map(({ invariant, text }) => `\n    ${invariant}: ${text}`).join('');
    say(
      `${name.padEnd(18)} at ${result.by.padEnd(7)} ${String(result.jobs).padStart(2)} jobs, a new one accepted after ${accepted?.toFixed(2)} s, done after ${answered?.toFixed(2)} s, took ${took.toFixed(1)} s${told}`,
    );
    if (result.violations.length > 0) process.stderr.write(rig.logs());
    mkdirSync(folder, { recursive: true });
    writeFileSync(record, JSON.stringify(results));
  }
} catch (error) {
  process.stderr.write(rig.logs());
  throw error;
} finally {
  await rig.stop();
}
for (const { cell, why } of left) say(`left out ${nameOf(cell)}: ${why}`);
const broken = sayTable(results, { seconds: (performance.now() - began) / 1_000, undone });
process.exitCode = broken + undone === 0 ? 0 : 1;
