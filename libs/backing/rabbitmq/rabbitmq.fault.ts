import { AppError } from '@kernel/errors';

const RETRY_AFTER_SECONDS = 2;
/** Quorum queues that hand dead letters over at least once. */
const OLDEST = [3, 10] as const;

const CAUSES: readonly [RegExp, string][] = [
  [/Handshake terminated by server: 403|ACCESS[_-]REFUSED.*login/i, 'RabbitMQ refuses this user or password: check RABBITMQ_URL.'],
  [/ACCESS[_-]REFUSED/i, 'RabbitMQ does not let this user use or declare our queues: check RABBITMQ_URL.'],
  // The server closes instead of opening, and the driver does not pass on why.
  [
    /Expected ConnectionOpenOk|\bvhost\b.*(not found|refused|down)|NOT[_-]ALLOWED/i,
    'RabbitMQ has no such virtual host, or this user may not use it: check RABBITMQ_URL.',
  ],
  [
    /PRECONDITION[_-]FAILED.*inequivalent arg/i,
    'RabbitMQ has a queue or exchange of ours with other arguments: delete it, or set another virtual host in RABBITMQ_URL.',
  ],
  [/PRECONDITION[_-]FAILED/i, 'RabbitMQ closed the channel.'],
  [/ENOTFOUND|EAI_AGAIN/, 'The host of RabbitMQ cannot be found: check RABBITMQ_URL.'],
  [/\bframe\b|protocol header|Expected ConnectionStart/i, 'What answers there does not speak AMQP: check RABBITMQ_URL.'],
];

/** A driver's error in our words: what is wrong with RABBITMQ_URL where that can be told; never the URL, which holds a password. */
export function rabbitFault(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { code } = (error ?? {}) as { code?: unknown };
  const text = `${typeof code === 'string' ? code : ''} ${error instanceof Error ? error.message : String(error)}`;
  const known = CAUSES.find(([pattern]) => pattern.test(text))?.[1];
  return new AppError('unavailable', known ?? 'RabbitMQ does not answer.', { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error });
}

export function rabbitAway(): AppError {
  return new AppError('unavailable', 'RabbitMQ is not connected.', { retryAfterSeconds: RETRY_AFTER_SECONDS });
}

/** What is wrong with the version that a server tells, or undefined. */
export function versionFault(version: unknown): AppError | undefined {
  const [major, minor] = /^(\d+)\.(\d+)/.exec(String(version))?.slice(1).map(Number) ?? [];
  if (major === undefined || minor === undefined || major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return new AppError(
    'unavailable',
    `RabbitMQ ${String(version)} is too old: RABBITMQ_URL must name a server of ${OLDEST.join('.')} or newer.`,
  );
}
