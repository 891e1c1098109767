import { AppError } from '@kernel/errors';
import type { FastifyReply } from 'fastify';

/**
 * The life of one model call for one client: `signal` aborts as soon as the client is gone, streaming or not, before or after the first token, and
 * when no token has come within `seconds` (waiting in the queue and loading included).
 */
export class CallWatch {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private left = false;

  constructor(
    private readonly reply: FastifyReply,
    seconds: number,
  ) {
    const late = new AppError('timeout', `The model has not begun to answer within ${seconds} s.`, { retryAfterSeconds: 5 });
    this.timer = setTimeout(() => this.controller.abort(late), seconds * 1_000);
    reply.raw.once('close', () => this.onClose());
    reply.raw.on('error', () => this.onClose());
    if (reply.request.raw.socket.destroyed) this.onClose();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The client went away before its answer was complete. */
  get gone(): boolean {
    return this.left;
  }

  /** The model has made something. */
  begun(): void {
    clearTimeout(this.timer);
  }

  /** Ends the call although its client still waits. */
  stop(reason: AppError): void {
    clearTimeout(this.timer);
    this.controller.abort(reason);
  }

  /** What really ended a call that failed. */
  causeOf(error: unknown): unknown {
    const { aborted, reason } = this.signal;
    return aborted && reason instanceof AppError ? reason : error;
  }

  private onClose(): void {
    clearTimeout(this.timer);
    if (this.reply.raw.writableEnded) return;
    this.left = true;
    this.controller.abort(new AppError('cancelled', 'The client is gone.'));
  }
}
