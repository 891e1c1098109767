// What clients did and were told, in the manner of Jepsen: every operation is invoked and ends as `ok` (it must hold), `fail` (nothing may have happened) or
// `unknown` (either is allowed). Times are of the machine's monotonic clock, in ms.

export const monotonic = () => Number(process.hrtime.bigint()) / 1e6;

export class Journal {
  entries = [];

  /** `key` is unique for an operation and can be found again in what it leaves behind; `value` is what was asked for. */
  invoke(op, key, value) {
    this.#note({ type: 'invoke', op, key, value });
  }

  ok(op, key, value) {
    this.#note({ type: 'ok', op, key, value });
  }

  fail(op, key, value) {
    this.#note({ type: 'fail', op, key, value });
  }

  unknown(op, key, value) {
    this.#note({ type: 'unknown', op, key, value });
  }

  /**
   * The operations of a kind: { key, value: as invoked, outcome: ok | fail | unknown, result: what `ok` said, at: when it was heard }. One that was repeated
   * under its key is `ok` when any try was, and `unknown` when any try was and none was ok.
   */
  of(op) {
    const found = new Map();
    for (const entry of this.entries) {
      if (entry.op !== op) continue;
      const known = found.get(entry.key) ?? { key: entry.key, value: entry.value, outcome: 'unknown', seen: false };
      found.set(entry.key, known);
      if (entry.type === 'invoke') continue;
      const better = entry.type === 'ok' || !known.seen || (known.outcome === 'fail' && entry.type === 'unknown');
      if (known.outcome !== 'ok' && better) Object.assign(known, { outcome: entry.type, seen: true, result: entry.value, at: entry.at });
    }
    return [...found.values()];
  }

  #note(entry) {
    this.entries.push({ ...entry, at: monotonic() });
  }
}
