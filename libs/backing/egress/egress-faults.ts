import { AppError } from '@kernel/errors';

/** Answers that a later attempt may find changed. */
const PASSING = new Set([408, 425, 429]);

/** What a failure of the network means; where it happened stays inside. */
export function networkFault(error: unknown, signal: AbortSignal): unknown {
  if (error instanceof AppError) return error;
  if (signal.aborted) return signal.reason;
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  if (cause instanceof AppError) return cause;
  const name = typeof code === 'string' ? code : '';
  if (name.includes('TIMEOUT') || name === 'ETIMEDOUT')
    return new AppError('timeout', 'The address did not answer in time.', { cause: error });
  if (/CERT|TLS|SSL|SIGNATURE|ALTNAME/u.test(name))
    return new AppError('unprocessable', "The host's certificate cannot be trusted.", { cause: error });
  return new AppError('unavailable', 'The address could not be reached, or the connection broke.', { cause: error });
}

/** Undefined for an answer with content. */
export function statusFault(status: number): AppError | undefined {
  if (status === 200 || status === 203) return undefined;
  const message = `The address answered with status ${status} instead of a document.`;
  if (status >= 500 || PASSING.has(status)) return new AppError('unavailable', message);
  return new AppError('unprocessable', message);
}
