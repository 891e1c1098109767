import { AppError } from '@kernel/errors';

const LONGEST_TIMER = 2 ** 31 - 1;

/** Aborts a request when its caller does or when nothing came for too long; `extend` begins the next period. */
export class Deadline {
  private readonly controller = new AbortController();
  private timer?: NodeJS.Timeout;
  private readonly onAbort = (): void => this.controller.abort(this.caller.reason);

  constructor(private readonly caller: AbortSignal) {
    if (caller.aborted) this.onAbort();
    else caller.addEventListener('abort', this.onAbort, { once: true });
  }

  /** What the request listens to. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** From now on `what` may take this long. */
  extend(seconds: number, what: string): void {
    clearTimeout(this.timer);
    const late = (): void => this.controller.abort(new AppError('timeout', `${what} took longer than ${seconds} s.`));
    this.timer = setTimeout(late, Math.min(seconds * 1000, LONGEST_TIMER));
  }

  /** Until `extend` nothing is waited for. */
  pause(): void {
    clearTimeout(this.timer);
  }

  /** The timeout, when that is what ended the request. */
  get passed(): AppError | undefined {
    const reason: unknown = this.controller.signal.reason;
    return !this.caller.aborted && reason instanceof AppError ? reason : undefined;
  }

  end(): void {
    clearTimeout(this.timer);
    this.caller.removeEventListener('abort', this.onAbort);
  }
}
