// npm run faults:model: explores every state of the model of jobs, outbox and leases (2 jobs, 2 workers, 1 relay, up to 2 crashes, a doubled message, any order
// of messages), then two models with a bug put in, which it must find. Exits 1 when a rule breaks in the design or a bug is not found.
import { explore } from './model/explore.mjs';
import { BUGS } from './model/jobs-model.mjs';

const say = (line) => process.stdout.write(`${line}\n`);
const told = ({ states, steps, violations }, from) =>
  `${states} states, ${steps} steps, ${violations.length} violations (${((performance.now() - from) / 1_000).toFixed(1)} s)`;
const path = ({ violations: [first] }) => (first === undefined ? '' : `\n  ${first.says}:\n    ${first.path.join('\n    ')}`);

let from = performance.now();
const design = explore({ jobs: 2, crashes: 2 });
say(`the design: ${told(design, from)}${path(design)}`);
let missed = 0;
for (const [bug, says] of Object.entries(BUGS)) {
  from = performance.now();
  const found = explore({ jobs: 2, crashes: 2, bug });
  if (found.violations.length === 0) missed += 1;
  say(`${bug} (${says}): ${found.violations.length > 0 ? 'found' : 'NOT FOUND'}, ${told(found, from)}${path(found)}`);
}
process.exitCode = design.violations.length + missed === 0 ? 0 : 1;
