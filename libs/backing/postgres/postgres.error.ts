import { types } from 'node:util';
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

/** True when the server ended the statement to free others from waiting for one another in a circle. */
export function isDeadlock(error: unknown): boolean {
  return sqlState(error).code === '40P01';
}

const BY_STATE: Record<string, () => AppError> = {
  // Somebody makes room, and what was accepted goes on.
  '53100': () => new AppError('storage_full', 'The database has no disk space left.', { retryable: true }),
  '57014': () => new AppError('timeout', 'The database statement passed its deadline.'),
  '22021': () => new AppError('unprocessable', 'The text holds a character that cannot be stored.'),
  '22P05': () => new AppError('unprocessable', 'The text holds a character that cannot be stored.'),
  '22P02': () => new AppError('unprocessable', 'A value has the wrong form.'),
  '28000': () => new AppError('unavailable', 'The database refuses this user: check DATABASE_URL.'),
  '28P01': () => new AppError('unavailable', 'The database refuses this user or password: check DATABASE_URL.'),
  '3D000': () => new AppError('unavailable', 'The database server has no database of this name: check DATABASE_URL.'),
  '53300': () => new AppError('unavailable', 'The database has no connection left.', { retryAfterSeconds: 1 }),
};

/** The server is ending or has begun again: it takes no statement now, and is back within seconds. */
const STARTING = new Set(['57P01', '57P02', '57P03']);
const GONE = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN/;
const BROKEN =
  /ECONNRESET|EPIPE|ETIMEDOUT|Connection terminated|not queryable|Client was closed|encountered a connection error|timeout expired/;
const SILENT = 'Query read timeout';
/** As the driver's pool says it. */
export const WAITED = 'timeout exceeded when trying to connect';

/**
 * What a fault of the driver says about the connection that it came from:
 * `starting` the server is about to be back; `gone` nobody listens there; `broken` it ended before the answer; `silent` no answer came in time;
 * `busy` every connection of the pool was in use for too long. Undefined: the connection is as good as before.
 */
export type ConnectionFault = 'starting' | 'gone' | 'broken' | 'silent' | 'busy';

export function connectionFault(error: unknown): ConnectionFault | undefined {
  if (error instanceof AppError) return error.cause === undefined ? undefined : connectionFault(error.cause);
  const { code = '' } = sqlState(error);
  if (STARTING.has(code)) return 'starting';
  const text = `${code} ${error instanceof Error ? error.message : String(error)}`;
  if (GONE.test(text)) return 'gone';
  if (text.includes(SILENT)) return 'silent';
  if (text.includes(WAITED)) return 'busy';
  return code.startsWith('08') || code.startsWith('57P') || BROKEN.test(text) ? 'broken' : undefined;
}

/** Turns a driver's error into ours where one code says it all; constraint violations and faults of our SQL stay as they are. */
export function translated(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const inner = (error as DriverFault | null)?.driverError;
  if (inner instanceof AppError) return inner;
  const { code } = sqlState(error);
  const known = code === undefined ? undefined : BY_STATE[code];
  if (known !== undefined) return known();
  if (connectionFault(error) === undefined) return types.isNativeError(error) ? error : asError(error as DriverFault);
  return new AppError('unavailable', 'The database does not answer.', { retryAfterSeconds: 1, cause: error });
}

/** From the embedded database's thread an error arrives as what it holds, without being one. */
function asError(fault: DriverFault): Error {
  const { code, constraint } = fault;
  return Object.assign(new Error(fault.message ?? 'The database failed.', { cause: fault }), { code, constraint });
}
