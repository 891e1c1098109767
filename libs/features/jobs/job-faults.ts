import { AppError, type ErrorCode } from '@kernel/errors';
import type { JobFailure } from './job.entity';

export const jobCancelled = (): AppError => new AppError('cancelled', 'The job was cancelled.');

export const draining = (): AppError => new AppError('unavailable', 'The server is shutting down.');

/** The maker of the job has lost the right to it. */
export const isForbidden = (reason: unknown): boolean => reason instanceof AppError && reason.code === 'forbidden';

/** What of a failure may be stored and shown: an AppError speaks for itself, anything else is `internal` without its words. */
export function failureOf(error: unknown): JobFailure {
  if (error instanceof AppError) return { code: error.code, message: error.message, retryable: error.retryable };
  return { code: 'internal', message: 'The job failed unexpectedly.', retryable: true };
}

/** The database did not answer in time: the same write may succeed a moment later. */
export const isTransient = (error: unknown): boolean =>
  error instanceof AppError && (error.code === 'unavailable' || error.code === 'timeout');

/** Faults of the platform, which somebody may mend; what a request itself did wrong is its answer. */
const FAULTS: ReadonlySet<ErrorCode> = new Set(['internal', 'unavailable', 'timeout', 'storage_full']);

/** Whether a final failure is one for people to look at: tried as often as it may be, or nobody's to try again. */
export const isDeadLetter = ({ code, retryable }: JobFailure): boolean => retryable || FAULTS.has(code);
