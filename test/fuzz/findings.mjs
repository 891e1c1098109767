// What the fuzzers found, each fault once for every operation and check, and the closing line.
const SERVER_ERRORS = ['not_a_server_error', 'network'];
const AUTH = ['ignored_auth', 'foreign_access'];
const MOST_SHOWN = 40;

export class Findings {
  /** By who sent them. */
  requests = { schemathesis: 0, drive: 0 };
  /** "operation status" to the number of answers. */
  answers = new Map();
  /** "check operation status" to the first of its kind, with how many there were. */
  faults = new Map();

  take(sender, { counts, findings }, seed) {
    for (const [key, count] of Object.entries(counts)) {
      this.requests[sender] += count;
      this.answers.set(key, (this.answers.get(key) ?? 0) + count);
    }
    for (const finding of findings) {
      const key = `${finding.check} ${finding.operation} ${finding.status ?? ''}`;
      const known = this.faults.get(key);
      if (known === undefined) this.faults.set(key, { ...finding, sender, seed, count: 1 });
      else known.count += 1;
    }
  }

  get operations() {
    return new Set([...this.answers.keys()].map((key) => key.slice(0, key.lastIndexOf(' ')))).size;
  }

  of(checks) {
    return [...this.faults.values()].filter(({ check }) => checks.includes(check));
  }

  /** Percent of the answers that were a success: how deep the requests went. */
  #share() {
    const good = [...this.answers].reduce((sum, [key, count]) => sum + (/ 2\d\d$/.test(key) ? count : 0), 0);
    return Math.round((100 * good) / (this.requests.schemathesis + this.requests.drive));
  }

  /** Prints everything; answers how many faults there are. */
  report({ requests, failures, crashed, errors }) {
    const faults = [...this.faults.values()];
    for (const { check, operation, status, sender, count, seed, message, request, answer } of faults.slice(0, MOST_SHOWN))
      process.stdout.write(
        `${check}: ${operation} ${status ?? ''} (${count} times, ${sender}, seed ${seed})\n  ${message}\n  ${request}\n  ${answer ?? ''}\n`,
      );
    for (const line of failures) process.stdout.write(`5xx by the server's own count: ${line}\n`);
    for (const line of errors.slice(0, 20)) process.stdout.write(`${line.slice(0, 2_000)}\n`);
    const { schemathesis, drive } = this.requests;
    const others = faults.length - this.of([...SERVER_ERRORS, ...AUTH]).length;
    process.stdout.write(
      `${schemathesis + drive} requests (${schemathesis} by schemathesis, ${drive} by test/fuzz/drive; ${requests} by the server's count; ${this.#share()} % answered 2xx), ${this.operations} operations, ${failures.length} kinds of 5xx, ${crashed ? 1 : 0} crashes, ` +
        `${others} schema violations, ${this.of(AUTH).length} ignored auth\n`,
    );
    const failed = faults.length + failures.length + (crashed ? 1 : 0);
    process.stdout.write(`${this.operations - new Set(faults.map(({ operation }) => operation)).size} passed, ${failed} failed\n`);
    return failed;
  }
}
