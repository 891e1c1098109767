import { AppError } from '@kernel/errors';

/** So many calls that failed one after the other open it. */
const CONSECUTIVE = 3;
/** Milliseconds until a call may try again: doubled by each that fails. */
const COOLDOWN = { baseMs: 1_000, capMs: 30_000 };

/**
 * The circuit breaker of one model on one server, beside that of the server's connection: a server may answer and yet fail at a model each time (its
 * runner crashes, its card hangs), and being quick at it would attract all calls. While it is open nobody is sent there, but for one call after each
 * pause, which closes it when it succeeds.
 */
export class ModelBreaker {
  private failures = 0;
  private openUntil = -Infinity;
  private trying = false;

  /** No call should go there now. */
  get isOpen(): boolean {
    return this.failures >= CONSECUTIVE && (this.trying || performance.now() < this.openUntil);
  }

  /** Seconds until it is worth asking again. */
  get retryAfterSeconds(): number {
    return Math.max(1, Math.ceil((this.openUntil - performance.now()) / 1_000));
  }

  /** A call begins; while the breaker is open, the one that tries. */
  begin(): void {
    if (this.failures >= CONSECUTIVE) this.trying = true;
  }

  /** It ended so: undefined, well; an error that says nothing about the server, no verdict. */
  end(error?: unknown): void {
    this.trying = false;
    if (error === undefined) this.failures = 0;
    if (!isFailure(error)) return;
    this.failures += 1;
    const exponent = Math.max(0, this.failures - CONSECUTIVE);
    this.openUntil = performance.now() + Math.min(COOLDOWN.capMs, COOLDOWN.baseMs * 2 ** Math.min(exponent, 30));
  }
}

/** A server that is busy or away, or lacks a model, says so; what comes too late or breaks off is a failure. */
function isFailure(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  return error.code === 'timeout' || (error.code === 'unavailable' && error.retryable && error.retryAfterSeconds === undefined);
}
