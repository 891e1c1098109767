import { AppError } from '@kernel/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AuthenticatedRequest } from './caller.decorator';

/** Part of a minute's requests that may be open at the same time. */
const SHARE = 6;
const LEAST = 20;
const RETRY_SECONDS = 1;

/**
 * Bounds the requests of one person (with all tokens and keys) that are being answered at the same time in this process, streams among them: nobody
 * takes every socket and every place in the queue of a model. A sixth of RATE_LIMIT_PER_MINUTE, at least 20. Error: `rate_limited`.
 */
export class RequestsAtOnce {
  private readonly open = new Map<string, number>();
  readonly most: number;

  constructor(requestsPerMinute: number) {
    this.most = Math.max(LEAST, Math.floor(requestsPerMinute / SHARE));
  }

  /** Until the answer is complete or its connection is gone. */
  admit(request: FastifyRequest, { raw }: FastifyReply): void {
    const person = (request as AuthenticatedRequest).principal?.userId;
    if (person === undefined || request.raw.socket.destroyed) return;
    const count = this.open.get(person) ?? 0;
    if (count >= this.most)
      throw new AppError('rate_limited', `More than ${this.most} requests of yours are being answered.`, {
        retryAfterSeconds: RETRY_SECONDS,
      });
    this.open.set(person, count + 1);
    raw.once('close', () => this.leave(person));
  }

  private leave(person: string): void {
    const count = (this.open.get(person) ?? 1) - 1;
    if (count === 0) this.open.delete(person);
    else this.open.set(person, count);
  }
}
