import { AppError } from '@kernel/errors';

const RETRY_SECONDS = 2;
const REFUSED = [401, 403];

/** Errors of the driver by the status of the answer, where there was one. Ours pass. */
export function translated(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const status = statusOf(error);
  if (status === undefined || status === 429 || status >= 500)
    return new AppError('unavailable', 'Qdrant does not answer.', { cause: error, retryAfterSeconds: RETRY_SECONDS });
  if (REFUSED.includes(status))
    return new AppError('unavailable', `Qdrant refuses the key of QDRANT_API_KEY (HTTP ${status}).`, { cause: error, retryable: false });
  if (status === 404) return new AppError('not_found', 'Qdrant does not have it.', { cause: error });
  if (status === 409) return new AppError('conflict', 'Qdrant has it already.', { cause: error });
  return new AppError('internal', 'Qdrant refused a request.', { cause: error, retryable: false });
}

export function notConnected(): AppError {
  return new AppError('unavailable', 'QDRANT_URL is not set.', { retryable: false });
}

export function notQdrant(cause?: unknown): AppError {
  return new AppError('unavailable', 'QDRANT_URL does not name a Qdrant server.', { cause, retryable: false });
}

/** The driver gives a number for errors of the interface, and a sentence for other answers. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('status' in error && typeof error.status === 'number') return error.status;
  const named = /^Unexpected Response: (\d{3})/.exec(error.message)?.[1];
  return named === undefined ? undefined : Number(named);
}
