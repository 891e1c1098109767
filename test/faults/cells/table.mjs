import { VICTIMS } from './plan.mjs';

export const say = (line) => process.stdout.write(`${line}\n`);

const at = (values, share) => {
  const sorted = values.toSorted((one, other) => one - other);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(2);
};

/** A line for each victim and fault and the sum; answers the number of violations. */
export function sayTable(results, { seconds, undone }) {
  say('victim    fault  cells  violations  jobs   a new one accepted p50 / max    and done p50 / max');
  for (const victim of VICTIMS)
    for (const fault of new Set(results.map((each) => each.fault))) {
      const these = results.filter((each) => each.victim === victim && each.fault === fault);
      if (these.length === 0) continue;
      const first = these.map((each) => each.seconds.accepted).filter(Number.isFinite);
      const last = these.map((each) => each.seconds.answered).filter(Number.isFinite);
      const cells = [victim.padEnd(9), fault.padEnd(5), String(these.length).padStart(6), String(sum(these, broken)).padStart(11)];
      const times = `${at(first, 0.5)} / ${at(first, 1)} s`.padStart(29);
      say(
        `${[...cells, String(sum(these, ({ jobs }) => jobs)).padStart(5), times, `${at(last, 0.5)} / ${at(last, 1)} s`.padStart(21)].join(' ')}`,
      );
    }
  const violations = sum(results, broken);
  const of = (kind) => sum(results, (each) => each.violations.filter((one) => one.kind === kind).length);
  const kills = results.filter(({ fault }) => fault === 'kill').length;
  const rest = undone === 0 ? '' : `, ${undone} cells not run`;
  say(
    `${results.length} cells, ${violations} violations, ${sum(results, ({ jobs }) => jobs)} jobs, ${kills} kills, ${of('lost')} lost, ${of('doubled')} duplicated, ${seconds.toFixed(0)} s${rest}`,
  );
  return violations;
}

const broken = ({ violations }) => violations.length;
const sum = (list, of) => list.reduce((total, each) => total + of(each), 0);
