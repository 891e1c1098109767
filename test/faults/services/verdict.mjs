// What one kill did to the traffic, as a line of the table, and whether that is allowed.

/** Unrelated routes may take twice as long while something is away, and this much at least: a p99 of 200 requests on two cores has its own noise. */
const SLOWER = 2;
const FLOOR_MS = 100;
/** What needs the victim is refused within this, 19 of 20 times: the first calls find out. */
const REFUSED_MS = 50;
const MOST_REFUSALS = 0.95;

/**
 * Prints what happened; answers what broke (`faults`), and of that what a busy machine alone can cause (`slow`). `calm`, `away` (the victim is dead) and `returning` (it starts, on the same cores as everything else: how slow that
 * makes others is said, not judged) are records of the traffic.
 */
export function verdict({ victim, calm, away, returning, seconds, allowed }) {
  const unrelated = ({ needs }) => victim !== 'postgres' && !needs.includes(victim);
  const before = p99(calm.filter(unrelated));
  const without = p99(away.filter(unrelated));
  const all = [...away, ...returning];
  const errors = all.filter((record) => unrelated(record) && failed(record));
  const related = all.filter((record) => !unrelated(record));
  const refused = related.filter(({ status }) => status === 503);
  const odd = related.filter((record) => failed(record) && record.status !== 503);
  const faults = [];
  if (errors.length > 0)
    faults.push(`${errors.length} errors of unrelated routes (${errors[0].kind}: ${errors[0].status || errors[0].error})`);
  if (odd.length > 0) faults.push(`${odd.length} answers that are neither success nor 503 (${odd[0].kind}: ${odd[0].status})`);
  if (refused.some(({ retryAfter }) => retryAfter === undefined)) faults.push('a 503 without Retry-After');
  if (seconds > allowed) faults.push(`up again after ${seconds.toFixed(1)} s (allowed ${allowed})`);
  const slow = [];
  if (without > Math.max(FLOOR_MS, before * SLOWER)) slow.push('unrelated routes became slow');
  if (quantile(refused, MOST_REFUSALS) > REFUSED_MS) slow.push(`refusals took ${ms(quantile(refused, MOST_REFUSALS))} (p95)`);
  const cells = [
    victim.padEnd(9),
    `unrelated p99 ${ms(before)} -> ${ms(without)} (returning ${ms(p99(returning.filter(unrelated)))}), ${errors.length} errors of ${all.filter(unrelated).length}`,
    `503 ${refused.length} of ${related.length}, p50 ${ms(quantile(refused, 0.5))} p99 ${ms(p99(refused))}`,
    `up after ${seconds.toFixed(2)} s`,
    [faults.length > 0 ? `BROKEN: ${faults.join('; ')}` : 'ok', ...slow].join('; '),
  ];
  process.stdout.write(`${cells.join(' | ')}\n`);
  return { faults, slow };
}

/** No answer at all is a failure too. */
const failed = ({ status }) => status === 0 || status >= 400;
const sorted = (records) => records.map(({ milliseconds }) => milliseconds).sort((one, other) => one - other);
const quantile = (records, share) => sorted(records).at(Math.min(records.length - 1, Math.floor(records.length * share))) ?? 0;
const p99 = (records) => quantile(records, 0.99);
const ms = (milliseconds) => `${milliseconds.toFixed(1)} ms`;
