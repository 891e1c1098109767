import { AppError } from '../errors';

/** What ends waiting for a piece of work that cannot be interrupted itself. */
export interface Limits {
  signal: AbortSignal;
  seconds: number;
  /** What took too long, as the start of a sentence. */
  what: string;
}

/** The result of `work`, or `cancelled` as soon as the signal aborts, or `timeout` when the seconds are over; `work` goes on by itself. */
export async function within<T>(work: Promise<T>, { signal, seconds, what }: Limits): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined);
    throw cancelled(signal);
  }
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(
      () => settle(() => reject(new AppError('timeout', `${what} took longer than ${seconds} s.`))),
      Math.min(seconds * 1000, 2 ** 31 - 1),
    );
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
