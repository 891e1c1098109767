import { Injectable } from '@nestjs/common';
import { Idempotency, type IdempotentAttempt, type KeptAnswer } from '@features/idempotency';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { acceptsEvents } from '../http/accepts-events';
import type { RouteMarks } from '../http/access.decorator';
import type { AuthenticatedRequest } from '../http/caller.decorator';
import { fingerprint, type FormPart } from './fingerprint';
import { formParts } from './form-parts';

const HEADER = 'idempotency-key';
const KEY = /^[\x20-\x7e]{1,255}$/;
/** What belongs to an answer; every other header belongs to the request that gets it. */
const KEPT_HEADERS = ['content-type', 'etag', 'location'];
/** Set by an answer that another one takes the place of. */
const DROPPED_HEADERS = [...KEPT_HEADERS, 'retry-after', 'content-length'];

/**
 * The header `Idempotency-Key` of requests that make something (marked `creates`): such a request is done once, and a repeat within 24 hours gets the
 * same answer. Without the header a request costs nothing more. Errors: `invalid` (the header), and those of an attempt.
 */
@Injectable()
export class IdempotentRequests {
  private readonly attempts = new WeakMap<FastifyRequest, IdempotentAttempt>();

  constructor(
    private readonly idempotency: Idempotency,
    private readonly config: AppConfig,
  ) {}

  /** Before the handler; answers the repeat of a request whose answer is kept. */
  async prepare(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const attempt = this.attempt(request);
    if (attempt === undefined) return undefined;
    const kept = await attempt.lookUp();
    if (!request.isMultipart()) attempt.fingerprint = fingerprint(request);
    else if (kept !== undefined) attempt.fingerprint = fingerprint(request, await formParts(request, this.config.http.uploadBytes));
    if (kept !== undefined) attempt.recognise(kept);
    const answer = kept?.answer ?? null;
    if (answer !== null && (kept?.accepted === null || !acceptsEvents(request.headers.accept))) return reply.send(replay(reply, answer));
    this.attempts.set(request, attempt);
    return undefined;
  }

  /** Runs the handler so that all that it writes is stored with its answer. */
  within(request: FastifyRequest, handler: () => void): void {
    const attempt = this.attempts.get(request);
    if (attempt === undefined) handler();
    else this.idempotency.within(attempt, handler);
  }

  /** Before an answer leaves: what the request wrote is stored with it. Resolves with the body to send. */
  async finish(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
    const attempt = this.attempts.get(request);
    if (attempt === undefined) return payload;
    const body = Buffer.isBuffer(payload) ? payload : Buffer.from(typeof payload === 'string' ? payload : '');
    const answer = { status: reply.statusCode, headers: keptHeaders(reply), body };
    const other = await attempt.answered(answer);
    if (other !== undefined && other !== answer) return replay(reply, other);
    if (reply.statusCode >= 400) void reply.removeHeader('Idempotent-Replayed');
    return payload;
  }

  /** What a form held, once it has been read. */
  tellForm(request: FastifyRequest, parts: FormPart[]): void {
    const attempt = this.attempts.get(request);
    if (attempt !== undefined) attempt.fingerprint = fingerprint(request, parts);
  }

  /** What `accept` answers, or what it answered to the request that this one repeats: enough to make another answer of. */
  async once<T extends object>(reply: FastifyReply, accept: () => Promise<T>): Promise<T> {
    const attempt = this.attempts.get(reply.request);
    if (attempt === undefined) return accept();
    const accepted = await attempt.once(accept);
    if (attempt.kept !== undefined) void reply.header('Idempotent-Replayed', 'true');
    return accepted;
  }

  /** Stores what was accepted: the answer is only coming. */
  async settle(reply: FastifyReply): Promise<void> {
    await this.attempts.get(reply.request)?.settle();
  }

  /** The answer that follows only says that there is none yet. */
  leaveOpen(reply: FastifyReply): void {
    this.attempts.get(reply.request)?.leaveOpen();
  }

  private attempt(request: FastifyRequest & AuthenticatedRequest): IdempotentAttempt | undefined {
    const key = request.headers[HEADER];
    const { principal } = request;
    if (key === undefined || principal === undefined) return undefined;
    if (typeof key !== 'string' || !KEY.test(key))
      throw AppError.field('invalid', 'Idempotency-Key', 'must be 1 to 255 printable ASCII characters.');
    const { creates } = request.routeOptions.config as RouteMarks;
    return this.idempotency.attempt({
      principal,
      route: `${request.method} ${request.routeOptions.url}`,
      key,
      secret: creates === 'secret',
    });
  }
}

function keptHeaders(reply: FastifyReply): Record<string, string> {
  const headers = KEPT_HEADERS.map((name): [string, unknown] => [name, reply.getHeader(name)]);
  return Object.fromEntries(headers.filter((header): header is [string, string] => typeof header[1] === 'string'));
}

/** Makes the reply the one that was kept; answers its body. */
function replay(reply: FastifyReply, { status, headers, body }: KeptAnswer): Buffer {
  for (const name of DROPPED_HEADERS) void reply.removeHeader(name);
  void reply.code(status).headers(headers).header('Idempotent-Replayed', 'true');
  return body;
}
