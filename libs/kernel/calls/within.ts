import { AppError } from '../errors';

const LONGEST_TIMER = 2 ** 31 - 1;

/** A point in time from now, and the words for what took longer. */
export class Until {
  private readonly end: number;

  constructor(
    private readonly seconds: number,
    /** As the start of a sentence. */
    private readonly what: string,
  ) {
    this.end = performance.now() + seconds * 1_000;
  }

  /** Milliseconds until then; at least one, so that what is done already is heard of. */
  get left(): number {
    return Math.min(LONGEST_TIMER, Math.max(1, this.end - performance.now()));
  }

  get error(): AppError {
    return new AppError('timeout', `${this.what} took longer than ${this.seconds} s.`);
  }
}

/** What ends waiting for a piece of work that cannot be interrupted itself. */
export interface Limits {
  signal: AbortSignal;
  until: Until;
}

/** The result of `work`, or `cancelled` as soon as the signal aborts, or `timeout` when the time is over; `work` goes on by itself. */
export async function within<T>(work: Promise<T>, { signal, until }: Limits): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined);
    throw cancelled(signal);
  }
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => settle(() => reject(until.error)), until.left);
    const abort = (): void => settle(() => reject(cancelled(signal)));
    const settle = (end: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      end();
    };
    signal.addEventListener('abort', abort, { once: true });
    work.then(
      (value) => settle(() => resolve(value)),
      (error: Error) => settle(() => reject(error)),
    );
  });
}

export function cancelled(signal: AbortSignal): AppError {
  return new AppError('cancelled', 'The work was cancelled.', { cause: signal.reason });
}
