// What the rounds of one state came to.

/** Milliseconds in which a cancel or a client that leaves must have stopped the work of a model, when nothing else keeps the worker busy. */
export const STOP_MS = 200;
/** The most that a job may take whatever else its worker does. */
export const MOST_MS = 2_000;

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Repeatable numbers from 0 to 1 (mulberry32). */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Resolves with the value, or rejects after so long: what never stops is a failure, not an endless bench. */
export async function inTime(promise, what, milliseconds = 20_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${milliseconds / 1_000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class State {
  stops = [];
  tokens = [];
  faults = [];

  /** `limitMs`: within which every round must have stopped. */
  constructor(name, limitMs = STOP_MS) {
    this.name = name;
    this.limitMs = limitMs;
  }

  add(milliseconds, tokensAfter) {
    this.stops.push(milliseconds);
    this.tokens.push(tokensAfter);
  }

  fault(error) {
    this.faults.push(error instanceof Error ? error.message : String(error));
  }

  get rounds() {
    return this.stops.length + this.faults.length;
  }

  within(limitMs) {
    return this.stops.filter((ms) => ms <= limitMs).length;
  }

  get passed() {
    return this.rounds > 0 && this.within(this.limitMs) === this.rounds;
  }

  toString() {
    const sorted = this.stops.toSorted((a, b) => a - b);
    const at = (share) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(0);
    const most = Math.max(0, ...this.tokens);
    const row = [
      `${this.within(this.limitMs)} of ${this.rounds} in ${this.limitMs} ms`.padEnd(24),
      String(this.within(MOST_MS)).padStart(7),
      ...[at(0.5), at(0.95), at(1)].map((ms) => ms.padStart(6)),
    ];
    return `${this.name.padEnd(58)} ${row.join(' ')} ${String(most).padStart(8)}${this.faults.length === 0 ? '' : `  ${this.faults[0]}`}`;
  }

  static get head() {
    return `${'state'.padEnd(58)} ${'stopped in time'.padEnd(24)} in 2 s    p50    p95    max   tokens`;
  }
}
