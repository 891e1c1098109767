// Which of the seeded bugs were found.
import { createRequire } from 'node:module';

const { BUGS } = createRequire(import.meta.url)('./seeded-bugs.cjs');
const WANTED = 0.9;

/** Prints each bug with who found it first; answers whether nine of ten were. */
export function reportBugs(findings) {
  const faults = [...findings.faults.values()];
  let found = 0;
  for (const { bug, operations, checks } of BUGS) {
    const seen = faults.filter(({ check, operation }) => checks.includes(check) && operations.test(operation));
    if (seen.length > 0) found += 1;
    const by = [...new Set(seen.map(({ sender }) => sender))].join(' and ');
    process.stdout.write(`${seen.length > 0 ? `found by ${by}` : 'NOT FOUND'}: ${bug}\n`);
  }
  process.stdout.write(
    `${found} of ${BUGS.length} seeded bugs found in ${findings.requests.schemathesis + findings.requests.drive} requests\n`,
  );
  process.stdout.write(`${found} passed, ${BUGS.length - found} failed\n`);
  return found >= WANTED * BUGS.length;
}
