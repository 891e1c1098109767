// What the fuzzers found, each fault once for every operation and check, and the closing line.
const SERVER_ERRORS = ['not_a_server_error', 'network'];
const AUTH = ['ignored_auth'];
const MOST_SHOWN = 40;

export class Findings {
  requests = 0;
  /** "operation status" to the number of answers. */
  answers = new Map();
  /** "check operation status" to the first of its kind, with how many there were. */
  faults = new Map();

  take({ counts, findings }, seed) {
    for (const [key, count] of Object.entries(counts)) {
      this.requests += count;
      this.answers.set(key, (this.answers.get(key) ?? 0) + count);
    }
    for (const finding of findings) {
      const key = `${finding.check} ${finding.operation} ${finding.status ?? ''}`;
      const known = this.faults.get(key);
      if (known === undefined) this.faults.set(key, { ...finding, seed, count: 1 });
      else known.count += 1;
    }
  }

  get operations() {
    return new Set([...this.answers.keys()].map((key) => key.slice(0, key.lastIndexOf(' ')))).size;
  }

  of(checks) {
    return [...this.faults.values()].filter(({ check }) => checks.includes(check));
  }

  /** Prints everything; answers how many faults there are. */
  report({ requests, failures, crashed, errors }) {
    const faults = [...this.faults.values()];
    for (const { check, operation, status, count, seed, message, request, answer } of faults.slice(0, MOST_SHOWN))
      process.stdout.write(
        `${check}: ${operation} ${status ?? ''} (${count} times, seed ${seed})\n  ${message}\n  ${request}\n  ${answer ?? ''}\n`,
      );
    for (const line of failures) process.stdout.write(`5xx by the server's own count: ${line}\n`);
    for (const line of errors.slice(0, 20)) process.stdout.write(`${line.slice(0, 2_000)}\n`);
    const others = faults.length - this.of([...SERVER_ERRORS, ...AUTH]).length;
    process.stdout.write(
      `${this.requests} requests (${requests} by the server's count), ${this.operations} operations, ${failures.length} kinds of 5xx, ${crashed ? 1 : 0} crashes, ` +
        `${others} schema violations, ${this.of(AUTH).length} ignored auth\n`,
    );
    const failed = faults.length + failures.length + (crashed ? 1 : 0);
    process.stdout.write(`${this.operations - new Set(faults.map(({ operation }) => operation)).size} passed, ${failed} failed\n`);
    return failed;
  }
}
