import { AppError } from '@kernel/errors';

const RETRY_SECONDS = 2;

/** Errors of the driver by name: its classes are only there once it is loaded. Ours pass. */
export function translated(error: unknown): AppError {
  if (error instanceof AppError) return error;
  switch (error instanceof Error ? error.name : '') {
    case 'ChromaConnectionError':
    case 'ChromaServerError':
    case 'ChromaRateLimitError':
      return new AppError('unavailable', 'Chroma does not answer.', { cause: error, retryAfterSeconds: RETRY_SECONDS });
    case 'ChromaAuthError':
    case 'ChromaForbiddenError':
      return new AppError('unavailable', 'The server of CHROMA_URL refuses the platform.', { cause: error, retryable: false });
    case 'ChromaNotFoundError':
      return new AppError('not_found', 'Chroma does not have it.', { cause: error });
    case 'ChromaUniqueError':
      return new AppError('conflict', 'Chroma has it already.', { cause: error });
    case 'ChromaClientError':
    case 'ChromaValueError':
      return new AppError('internal', 'Chroma refused a request.', { cause: error, retryable: false });
    default:
      return notChroma(error);
  }
}

export function notConnected(): AppError {
  return new AppError('unavailable', 'CHROMA_URL is not set.', { retryable: false });
}

export function notChroma(cause?: unknown): AppError {
  return new AppError('unavailable', 'CHROMA_URL does not name a Chroma server.', { cause, retryable: false });
}
