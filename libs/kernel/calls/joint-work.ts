import { within, type Until } from './within';

interface Going<T> {
  result: Promise<T>;
  until: Until;
  stop: AbortController;
  waiting: number;
  linger?: NodeJS.Timeout;
}

/** Milliseconds for which work goes on that all have been called away from: who asks again at once finds it as far as it has come. */
const LINGER = 1_000;

/**
 * One piece of work for all who wait for it: the first begins it, and it is broken off a second after the last was called away. It has one deadline for
 * all: who comes when that is over does not begin it anew, and it goes on by itself.
 */
export class JointWork<T> {
  private current?: Going<T>;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly work: (signal: AbortSignal) => Promise<T>,
    /** From the beginning of the work. */
    private readonly deadline: () => Until,
    private readonly lingerMs = LINGER,
  ) {}

  /** Errors: those of the work, `cancelled`, `timeout`. */
  async join(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const going = (this.current ??= this.begin());
    clearTimeout(going.linger);
    going.waiting += 1;
    try {
      return await within(going.result, { signal, until: going.until });
    } finally {
      going.waiting -= 1;
      if (going.waiting === 0 && signal.aborted) this.breakOffSoon(going);
    }
  }

  /** Resolves when nothing of it goes on. */
  get settled(): Promise<unknown> {
    return this.last;
  }

  /** Not beside work that was broken off and has not ended yet. */
  private begin(): Going<T> {
    const stop = new AbortController();
    const result = this.last.then(() => this.work(stop.signal));
    const going: Going<T> = { result, stop, until: this.deadline(), waiting: 0 };
    this.last = result.then(
      () => this.ended(going),
      () => this.ended(going),
    );
    return going;
  }

  private ended(going: Going<T>): void {
    clearTimeout(going.linger);
    if (this.current === going) this.current = undefined;
  }

  private breakOffSoon(going: Going<T>): void {
    going.linger = setTimeout(() => {
      this.ended(going);
      going.stop.abort();
    }, this.lingerMs);
  }
}
