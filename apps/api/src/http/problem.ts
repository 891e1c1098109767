import { HttpException } from '@nestjs/common';
import { AppError, ERROR_TITLE, type ErrorCode } from '@kernel/errors';
import type { Problem } from './problem.schema';

/** Statuses that the framework itself may answer with, as codes and sentences of ours; its own words may repeat the request. */
const BY_STATUS: Record<number, [ErrorCode, string]> = {
  400: ['invalid', 'The request is not valid.'],
  401: ['unauthenticated', 'A bearer token is required.'],
  403: ['forbidden', 'This is not allowed.'],
  404: ['not_found', 'This address does not exist.'],
  405: ['method_not_allowed', 'This method is not allowed here.'],
  406: ['not_acceptable', 'None of the accepted media types can be given.'],
  408: ['timeout', 'The request did not arrive in time.'],
  413: ['too_large', 'The body is larger than this address accepts.'],
  414: ['invalid', 'The address is too long.'],
  415: ['unsupported_media_type', 'This media type is not accepted here.'],
  431: ['too_large', 'The headers are too large.'],
  503: ['unavailable', 'The server is stopping.'],
  504: ['timeout', 'The answer took too long.'],
};

/** Any error as one of ours; undefined when it is none that a caller may know about, which makes it `internal`. */
export function knownError(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error;
  const status = error instanceof HttpException ? error.getStatus() : statusOf(error);
  const known = status === undefined ? undefined : BY_STATUS[status];
  return known === undefined ? undefined : new AppError(known[0], known[1], { cause: error });
}

/** Fastify marks its own errors with a code and the status to answer. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error) || !String(error.code).startsWith('FST_')) return undefined;
  const { statusCode } = error as { statusCode?: number };
  return statusCode !== undefined && statusCode < 500 ? statusCode : undefined;
}

export function problemOf(error: AppError, requestId: string): Problem {
  return {
    type: `/docs/errors/${error.code}`,
    title: ERROR_TITLE[error.code],
    status: error.status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
    ...(error.jobId === undefined ? {} : { job_id: error.jobId }),
  };
}

/** Headers that belong to an error, whatever route it came from. */
export function problemHeaders(error: AppError): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json; charset=utf-8' };
  if (error.code === 'unauthenticated') headers['www-authenticate'] = 'Bearer';
  if (error.code === 'budget_exhausted') headers['x-should-retry'] = 'false';
  const seconds = error.retryAfterSeconds ?? (error.code === 'unavailable' ? 5 : undefined);
  if (seconds !== undefined) headers['retry-after'] = String(Math.max(1, Math.ceil(seconds)));
  if (error.code === 'too_large') headers.connection = 'close';
  return headers;
}
