interface Offered<T> {
  value: T;
  taken(): void;
}

/**
 * Turns a producer that pushes into an iteration that pulls, one value at a time: `push` resolves when the value has been taken. What the producer
 * throws is thrown by the iteration; when the iteration ends early, the pending `push` and every later one reject.
 */
export async function* handoff<T>(produce: (push: (value: T) => Promise<void>) => Promise<void>): AsyncGenerator<T, void> {
  let offered: Offered<T> | undefined;
  let wake = (): void => undefined;
  let abandon: ((reason: Error) => void) | undefined;
  let over = false;
  const push = (value: T): Promise<void> =>
    new Promise((resolve, reject) => {
      if (over) return void reject(new Error('Nobody reads any more.'));
      abandon = reject;
      offered = { value, taken: resolve };
      wake();
    });
  let ended = false;
  const work = produce(push).finally(() => {
    ended = true;
    wake();
  });
  // Thrown below, where the iteration is.
  work.catch(() => undefined);
  try {
    for (;;) {
      if (offered === undefined && !ended) await new Promise<void>((resolve) => (wake = resolve));
      const next = offered;
      if (next === undefined) break;
      offered = undefined;
      yield next.value;
      next.taken();
      await Promise.resolve();
    }
    await work;
  } finally {
    over = true;
    abandon?.(new Error('Nobody reads any more.'));
  }
}
