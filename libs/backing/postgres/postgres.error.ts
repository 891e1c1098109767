import { AppError } from '@kernel/errors';

interface DriverFault {
  code?: string;
  constraint?: string;
  message?: string;
  driverError?: unknown;
}

/** The SQLSTATE and constraint of a driver's error, however deeply TypeORM wrapped it. */
export function sqlState(error: unknown): { code?: string; constraint?: string } {
  if (typeof error !== 'object' || error === null) return {};
  const fault = error as DriverFault;
  if (fault.driverError !== undefined) return sqlState(fault.driverError);
  return { code: fault.code, constraint: fault.constraint };
}

/** True when the error is a unique violation (of that constraint or index, when one is named). */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const state = sqlState(error);
  return state.code === '23505' && (constraint === undefined || state.constraint === constraint);
}

const BY_STATE: Record<string, () => AppError> = {
  '53100': () => new AppError('storage_full', 'The database has no disk space left.'),
  '57014': () => new AppError('timeout', 'The database statement passed its deadline.'),
  '22021': () => new AppError('unprocessable', 'The text holds a character that cannot be stored.'),
  '22P05': () => new AppError('unprocessable', 'The text holds a character that cannot be stored.'),
  '22P02': () => new AppError('unprocessable', 'A value has the wrong form.'),
  '28000': () => new AppError('unavailable', 'The database refuses this user: check DATABASE_URL.'),
  '28P01': () => new AppError('unavailable', 'The database refuses this user or password: check DATABASE_URL.'),
  '3D000': () => new AppError('unavailable', 'The database server has no database of this name: check DATABASE_URL.'),
  '53300': () => new AppError('unavailable', 'The database has no connection left.', { retryAfterSeconds: 1 }),
};

const CONNECTION_FAULT =
  /ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|Connection terminated|timeout exceeded when trying to connect|timeout expired|not queryable|Client was closed/;

/** Turns a driver's error into ours where one code says it all; constraint violations and faults of our SQL stay as they are. */
export function translated(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const inner = (error as DriverFault | null)?.driverError;
  if (inner instanceof AppError) return inner;
  const { code } = sqlState(error);
  const known = code === undefined ? undefined : BY_STATE[code];
  if (known !== undefined) return known();
  const text = error instanceof Error ? error.message : String(error);
  if (code?.startsWith('08') === true || code?.startsWith('57P') === true || CONNECTION_FAULT.test(`${code ?? ''} ${text}`)) {
    return new AppError('unavailable', 'The database does not answer.', { retryAfterSeconds: 1, cause: error });
  }
  return error;
}
