import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Authenticator } from '@features/auth';
import { AppError } from '@kernel/errors';
import { Metrics, type Counter } from '@kernel/metrics';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RouteMarks } from './access.decorator';
import { bearerOf } from './bearer';
import type { AuthenticatedRequest } from './caller.decorator';
import { assertPermitted } from './permission';

/** With the time that principals are remembered, below the 5 s after which a revocation by another process holds on every door. */
const EVERY_MS = 1_000;

interface OpenAnswer {
  request: FastifyRequest & AuthenticatedRequest;
  reply: FastifyReply;
  /** It revoked something itself: a logout is told that it worked. */
  spared?: boolean;
}

/**
 * Keeps every answer in hand while it is open: event streams, streamed completions, long waits, uploads that are still coming. Whose login or key
 * ends, or whose role or scopes do not suffice any more, is cut off: at once by a revocation in this process, by one in another within 5 s.
 * What has begun is cut by closing its connection; the client's next request says why. A database that does not answer has not said no.
 */
@Injectable()
export class OpenAnswers implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly open = new Map<FastifyRequest, OpenAnswer>();
  private readonly current = new AsyncLocalStorage<FastifyRequest>();
  private readonly cuts: Counter;
  private timer?: NodeJS.Timeout;
  private asking = false;
  private again = false;

  constructor(
    private readonly authenticator: Authenticator,
    metrics: Metrics,
  ) {
    this.cuts = metrics.counter({
      name: 'http_answers_cut_total',
      help: 'Answers cut off because their token or key had lost its rights.',
    });
  }

  onApplicationBootstrap(): void {
    this.authenticator.onRevoked(() => {
      this.spareCurrent();
      void this.check();
    });
    this.timer = setInterval(() => void this.check(), EVERY_MS);
    this.timer.unref();
  }

  beforeApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** To be called when the guard has let the request in. */
  watch(request: FastifyRequest, reply: FastifyReply): void {
    if ((request as FastifyRequest & AuthenticatedRequest).principal === undefined) return;
    this.open.set(request, { request, reply });
    reply.raw.once('close', () => this.open.delete(request));
  }

  /** Runs `work`, and whatever it starts, as done by this request. */
  within(request: FastifyRequest, work: () => void): void {
    this.current.run(request, work);
  }

  private spareCurrent(): void {
    const request = this.current.getStore();
    const answer = request && this.open.get(request);
    if (answer !== undefined) answer.spared = true;
  }

  /** One round at a time; a revocation during one is followed by another. */
  private async check(): Promise<void> {
    this.again = true;
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.again) {
        this.again = false;
        for (const answer of Array.from(this.open.values()))
          if (this.open.has(answer.request) && answer.spared !== true) await this.recheck(answer);
      }
    } finally {
      this.asking = false;
    }
  }

  private async recheck(answer: OpenAnswer): Promise<void> {
    const { request, reply } = answer;
    const marks = request.routeOptions.config as RouteMarks;
    try {
      const { principal } = request;
      if (principal === undefined || marks.access === undefined || marks.access.public) return;
      assertPermitted(await this.authenticator.renew(principal, bearerOf(request)), marks.access, marks);
    } catch (error) {
      if (!(error instanceof AppError) || (error.code !== 'unauthenticated' && error.code !== 'forbidden')) return;
      this.open.delete(request);
      this.cuts.add();
      reply.raw.destroy();
    }
  }
}
