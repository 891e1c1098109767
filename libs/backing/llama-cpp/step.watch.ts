import { ServiceGuard } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import type { TurnQueue } from './turn.queue';

/** Milliseconds that a step may go on after its time was up. */
const GRACE = 1_000;
const PROBE = 1_000;

/**
 * The circuit breaker of the runtime in this process. A step of native work cannot be interrupted, and all others wait behind it: when one goes on long
 * after its time was up, calls are refused at once with `unavailable`, until the processor is found free again.
 */
export class StepWatch {
  private readonly guard: ServiceGuard;

  constructor(
    turns: TurnQueue,
    private readonly grace = GRACE,
  ) {
    const ping = async (signal: AbortSignal): Promise<void> => (await turns.take('soon', signal))();
    this.guard = new ServiceGuard({ service: 'The built-in model runtime', deadlineMs: PROBE, ping });
  }

  /** Throws `unavailable` while a step is stuck. */
  assertFree(): void {
    this.guard.assertClosed();
  }

  /** Hears of a call that failed, and of the step that it may have left behind. */
  left(step: Promise<unknown>, failure: unknown): void {
    if (!(failure instanceof AppError) || failure.code !== 'timeout') return;
    const timer = setTimeout(() => this.guard.trip(failure), this.grace).unref();
    const ended = (): void => clearTimeout(timer);
    step.then(ended, ended);
  }

  close(): void {
    this.guard.close();
  }
}
