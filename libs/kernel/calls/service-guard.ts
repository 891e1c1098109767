import { CircuitState, ConsecutiveBreaker, SamplingBreaker } from 'cockatiel';
import { AppError } from '../errors';
import { backoff } from './backoff';

/** So many failures one after the other, or this share of all calls in the window, open the breaker. */
const CONSECUTIVE = 3;
const SHARE = 0.5;
const WINDOW_MS = 10_000;
const LEAST_PER_SECOND = 2;
/** While it is open the service is asked again, by nobody's request, after at most this long. */
const PROBE = { baseMs: 200, capMs: 2_000 };
const PROBE_DEADLINE_MS = 1_000;
const RETRY_AFTER_SECONDS = 2;
/** A deadline is counted in so many parts: a time in which this process itself was held up counts as one of them at most. */
const PARTS = 5;

export interface GuardOptions {
  /** As people call it: `Redis`. */
  service: string;
  /** Milliseconds for one call that names no deadline of its own. */
  deadlineMs: number;
  /** Asks the service whether it answers; over the shared client. Used while the breaker is open. */
  ping: (signal: AbortSignal) => Promise<unknown>;
}

export interface GuardedCall {
  /** The caller's own wish to stop. */
  signal?: AbortSignal;
  milliseconds?: number;
}

/**
 * Every call to one instance of a backing service goes through its guard: a deadline for each, and a circuit breaker. Only outages count (an
 * AppError `unavailable` or `timeout`): the lib that calls translates its driver's errors first. While the breaker is open a call fails at once with
 * `unavailable` and `retryAfterSeconds`; a probe in the background closes it, so that no request pays for finding out.
 * Errors: `unavailable`, `timeout`, and what the work itself throws.
 */
export class ServiceGuard {
  private readonly breakers = [
    new ConsecutiveBreaker(CONSECUTIVE),
    new SamplingBreaker({ threshold: SHARE, duration: WINDOW_MS, minimumRps: LEAST_PER_SECOND }),
  ];
  private cause?: unknown;
  private open = false;
  private closed = false;
  private probing?: NodeJS.Timeout;

  constructor(private readonly options: GuardOptions) {}

  /** The breaker is open: calls fail at once. */
  get isOpen(): boolean {
    return this.open;
  }

  async call<T>(
    work: (signal: AbortSignal) => Promise<T>,
    { signal, milliseconds = this.options.deadlineMs }: GuardedCall = {},
  ): Promise<T> {
    this.assertClosed();
    signal?.throwIfAborted();
    try {
      const result = await this.within(work, milliseconds, signal);
      for (const breaker of this.breakers) breaker.success(CircuitState.Closed);
      return result;
    } catch (error) {
      if (isOutage(error)) this.failed(error);
      throw error;
    }
  }

  /** Throws `unavailable` while the breaker is open. */
  assertClosed(): void {
    if (this.open) throw this.refusal();
  }

  /** The service was seen to be gone by other means (a connection that broke): calls fail at once from now on, until a probe finds it. */
  trip(cause: unknown): void {
    this.cause = cause;
    if (this.open || this.closed) return;
    this.open = true;
    this.probeAfter(0);
  }

  /** There is reason to believe that the service is back: while the breaker is open, it is asked now. */
  look(): void {
    if (!this.open || this.closed || this.probing === undefined) return;
    clearTimeout(this.probing);
    void this.probe(0);
  }

  /** No probe runs any more; calls that are still made go on as before. */
  close(): void {
    this.closed = true;
    clearTimeout(this.probing);
  }

  private failed(error: unknown): void {
    // Every breaker hears of every failure: no short circuit here.
    const opening = this.breakers.map((breaker) => breaker.failure(CircuitState.Closed));
    if (opening.includes(true)) this.trip(error);
  }

  private probeAfter(attempt: number): void {
    this.probing = setTimeout(() => void this.probe(attempt), backoff(attempt, PROBE));
    this.probing.unref();
  }

  private async probe(attempt: number): Promise<void> {
    // While it runs there is nothing to look after.
    this.probing = undefined;
    try {
      await this.within(this.options.ping, PROBE_DEADLINE_MS, undefined);
      for (const breaker of this.breakers) breaker.success(CircuitState.Closed);
      this.open = false;
    } catch (error) {
      this.cause = error;
      if (!this.closed) this.probeAfter(attempt + 1);
    }
  }

  private async within<T>(work: (signal: AbortSignal) => Promise<T>, milliseconds: number, signal: AbortSignal | undefined): Promise<T> {
    const deadline = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_, reject) => {
      let left = PARTS;
      timer = setInterval(() => {
        left -= 1;
        if (left > 0) return;
        clearInterval(timer);
        const error = new AppError('timeout', `${this.options.service} did not answer within ${milliseconds / 1_000} s.`);
        deadline.abort(error);
        reject(error);
      }, milliseconds / PARTS);
    });
    try {
      const stop = signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, signal]);
      const working = work(stop);
      // What is still under way when the time is up must not become an unhandled rejection.
      working.catch(() => undefined);
      return await Promise.race([working, overdue]);
    } finally {
      clearInterval(timer);
    }
  }

  private refusal(): AppError {
    // What a repeat does not mend (a wrong key, a wrong server) is said as it was found.
    const told = this.cause instanceof AppError && !this.cause.retryable ? this.cause.message : `${this.options.service} does not answer.`;
    return new AppError('unavailable', told, {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      cause: this.cause,
    });
  }
}

function isOutage(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'unavailable' || error.code === 'timeout');
}
