import { Injectable } from '@nestjs/common';
import { Authenticator } from '@features/auth';
import { Budgets } from '@features/usage';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { Limits } from '@kernel/limits';
import { Metrics, type Counter } from '@kernel/metrics';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RouteAccess, RouteMarks } from './access.decorator';
import { bearerOf } from './bearer';
import { JSON_BYTES } from './body-parsers';
import { assertPermitted } from './permission';
import { checkForm } from './request-form';
import type { AuthenticatedRequest } from './caller.decorator';

/** Bytes of a multipart body beside the file itself: part headers and the other fields. */
const MULTIPART_EXTRA = 1_048_576;

/**
 * Decides before the body is read, in the order of the contract: host, size, authentication, limits, permission, budget, media type. It reads the
 * marks of the matched handler and never the path; a route without marks is refused to everybody.
 */
@Injectable()
export class RequestGuard {
  private readonly refusals: Counter;

  constructor(
    private readonly config: AppConfig,
    private readonly authenticator: Authenticator,
    private readonly limits: Limits,
    private readonly budgets: Budgets,
    metrics: Metrics,
  ) {
    this.refusals = metrics.counter({ name: 'http_rate_limited_total', help: 'Requests refused because of the limit per minute.' });
  }

  async check(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const marks = request.routeOptions.config as RouteMarks;
    checkForm(request.raw, reply.raw);
    if (marks.anyHost !== true) this.checkHost(request);
    if (request.is404) return;
    this.checkSize(request, marks);
    if (marks.access === undefined) throw new AppError('forbidden', 'This address is open to nobody.');
    if (!marks.access.public && !this.isOpen(request, marks)) await this.admit(request, reply, marks.access, marks);
    checkMediaType(request, marks);
  }

  /** A page of a foreign site whose name was pointed at this machine cannot reach it: its name is not ours. */
  private checkHost(request: FastifyRequest): void {
    const name = (request.headers.host ?? '').toLowerCase().replace(/:\d*$/, '');
    if (this.config.http.publicHosts.includes(name)) return;
    throw new AppError('invalid', 'The Host of this request is not a name of this server (PUBLIC_HOSTS lists them).');
  }

  /** A token that was sent is always looked at. */
  private isOpen(request: FastifyRequest, marks: RouteMarks): boolean {
    return marks.publicOnLoopback === true && this.config.http.loopback && request.headers.authorization === undefined;
  }

  private checkSize(request: FastifyRequest, marks: RouteMarks): void {
    const declared = Number(request.headers['content-length'] ?? 0);
    const limit = limitOf(request, marks, this.config.http.uploadBytes);
    if (declared > limit) throw new AppError('too_large', `The body is larger than the ${limit} bytes that this address accepts.`);
  }

  private async admit(
    request: FastifyRequest,
    reply: FastifyReply,
    access: Extract<RouteAccess, { public: false }>,
    marks: RouteMarks,
  ): Promise<void> {
    const principal = await this.authenticator.authenticate(bearerOf(request));
    (request as AuthenticatedRequest).principal = principal;
    await this.count(principal, reply);
    assertPermitted(principal, access, marks);
    if (marks.spends === true && principal.tokensPerDay !== undefined) await this.budgets.demand(principal.keyId ?? null);
  }

  private async count(principal: Principal, reply: FastifyReply): Promise<void> {
    const key = principal.keyId === undefined ? `user:${principal.userId}` : `key:${principal.keyId}`;
    const answer = await this.limits.take(key, principal.requestsPerMinute ?? this.config.limits.requestsPerMinute);
    reply.raw.setHeader('x-ratelimit-limit', answer.limit);
    reply.raw.setHeader('x-ratelimit-remaining', answer.remaining);
    reply.raw.setHeader('x-ratelimit-reset', answer.resetSeconds);
    if (answer.allowed) return;
    this.refusals.add();
    throw new AppError('rate_limited', `More than ${answer.limit} requests in one minute.`, { retryAfterSeconds: answer.resetSeconds });
  }
}

function limitOf(request: FastifyRequest, marks: RouteMarks, uploadBytes: number): number {
  if (marks.uploads === true && isMultipart(request)) return uploadBytes + MULTIPART_EXTRA;
  if (marks.binaryBytes !== undefined && isBinary(request)) return marks.binaryBytes;
  return marks.jsonBytes ?? Math.min(JSON_BYTES, request.routeOptions.bodyLimit);
}

/** Before the body is read: a route must not parse what it does not take. */
function checkMediaType(request: FastifyRequest, marks: RouteMarks): void {
  const refused = (marks.uploads !== true && isMultipart(request)) || (marks.binaryBytes === undefined && isBinary(request));
  if (refused) throw new AppError('unsupported_media_type', 'This address takes application/json.');
}

function isMultipart(request: FastifyRequest): boolean {
  return /^\s*multipart\//i.test(request.headers['content-type'] ?? '');
}

function isBinary(request: FastifyRequest): boolean {
  return /^\s*application\/octet-stream\s*(?:;|$)/i.test(request.headers['content-type'] ?? '');
}
