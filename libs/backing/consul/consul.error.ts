import { isNativeError } from 'node:util/types';
import { AppError } from '@kernel/errors';

const RETRY_AFTER_SECONDS = 2;

/** What the driver throws, as an error of ours. Its own hold the request with the token: of them only the words are kept. */
export function consulFault(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const cause = new Error(isNativeError(error) ? error.message : 'The driver threw what is no error.');
  const status = statusOf(error);
  if (status === 403) return new AppError('forbidden', 'CONSUL_TOKEN: the agent refuses it, or it lacks a right.', { cause });
  if (status === 404) return new AppError('not_found', 'Consul does not know this.', { cause });
  if (status !== undefined && status < 500) return new AppError('internal', `Consul refused the request (${status}).`, { cause });
  const what = status === undefined ? 'Consul does not answer (CONSUL_URL).' : `Consul failed (${status}).`;
  return new AppError('unavailable', what, { cause, retryAfterSeconds: RETRY_AFTER_SECONDS });
}

/** Errors: `unavailable` when the agent knows no leader, or what answers is no agent. */
export function leaderOf(answer: unknown): string {
  if (typeof answer !== 'string') throw new AppError('unavailable', 'CONSUL_URL: what answers there is no Consul agent.');
  if (answer !== '') return answer;
  throw new AppError('unavailable', 'Consul has no leader (CONSUL_URL).', { retryAfterSeconds: RETRY_AFTER_SECONDS });
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}
