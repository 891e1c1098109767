import { AppError } from '@kernel/errors';

interface DriverFault {
  code?: unknown;
  message?: unknown;
}

const OLDEST = 5;
const AGAIN = { retryAfterSeconds: 2 };

export function codeOf(error: unknown): string {
  const code = (error as DriverFault | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** The connection is gone, or there never was one; one that breaks in the middle of a word is told as a word that cannot be read. */
export function isLost(error: unknown): boolean {
  return ['ServiceUnavailable', 'SessionExpired', 'ProtocolError', 'ERR_OUT_OF_RANGE'].includes(codeOf(error));
}

/** The server asks to try it once more: a deadlock, a lock that was not got. */
export function isTransient(error: unknown): boolean {
  const code = codeOf(error);
  return code.startsWith('Neo.TransientError.') && !code.includes('DatabaseUnavailable');
}

/** Trying again with the same password only locks the user out. */
export function isRefusal(error: unknown): boolean {
  return codeOf(error).startsWith('Neo.ClientError.Security.');
}

/** Turns what the driver says into ours; what is wrong with a statement stays as it is. */
export function translated(error: unknown): unknown {
  if (error instanceof AppError) return error;
  if (isRefusal(error))
    return new AppError('unavailable', 'Neo4j refuses the user and the password that NEO4J_USER and NEO4J_PASSWORD name.', {
      ...AGAIN,
      cause: error,
    });
  const code = codeOf(error);
  if (code.includes('TransactionTimedOut') || code.includes('TransactionTerminated') || code.includes('LockClientStopped'))
    return new AppError('timeout', 'Neo4j did not end a transaction in time.', { cause: error });
  if (isLost(error) || code.startsWith('Neo.TransientError.') || code === 'N/A' || /closed|acquisition timed out/i.test(wordsOf(error)))
    return new AppError('unavailable', 'Neo4j does not answer at NEO4J_URL.', { ...AGAIN, cause: error });
  return error;
}

function wordsOf(error: unknown): string {
  const message = (error as DriverFault | null)?.message;
  return typeof message === 'string' ? message : '';
}

/** `agent` as the server names itself: `Neo4j/5.26.30`. Errors: `unavailable` for a server that is too old, or none of Neo4j. */
export function assertVersion(agent: string): void {
  const [, name = agent, version = ''] = /^([^/]+)\/(\d+)/.exec(agent) ?? [];
  if (name === 'Neo4j' && Number(version) >= OLDEST) return;
  throw new AppError(
    'unavailable',
    `NEO4J_URL leads to ${agent.replace('/', ' ') || 'a server without a name'}: Neo4j 5 or newer is needed.`,
    AGAIN,
  );
}
