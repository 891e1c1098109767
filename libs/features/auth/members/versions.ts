import { AppError } from '@kernel/errors';

/** `accepted` are the versions that the caller would change (`If-Match`); undefined: any. Errors: `precondition_failed`. */
export function assertVersion(what: string, version: number, accepted: number[] | undefined): void {
  if (accepted !== undefined && !accepted.includes(version))
    throw new AppError('precondition_failed', `${what} has changed since it was read.`);
}
