import { ERROR_STATUS, RETRYABLE_CODES, type ErrorCode } from './error-code';

/** One fault of the input: `path` names the field (`messages[0].content`), `message` says what is wrong with it. */
export interface FieldError {
  path: string;
  message: string;
  /** OpenAI's word for the fault, on `/v1` only. */
  code?: string;
}

export interface AppErrorOptions {
  errors?: FieldError[];
  retryable?: boolean;
  /** Seconds after which a repeat may succeed; becomes the header `Retry-After`. */
  retryAfterSeconds?: number;
  /** The job that stands in the way (409 of a busy chat session). */
  jobId?: string;
  cause?: unknown;
}

/**
 * The one error type that crosses tiers: a code of the closed list and a sentence for people.
 * The HTTP edge turns it into a problem document, the job runner reads `retryable` and nothing else.
 */
export class AppError extends Error {
  readonly errors?: FieldError[];
  readonly retryable: boolean;
  readonly retryAfterSeconds?: number;
  readonly jobId?: string;

  constructor(
    readonly code: ErrorCode,
    detail: string,
    options: AppErrorOptions = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.errors = options.errors;
    this.retryable = options.retryable ?? RETRYABLE_CODES.has(code);
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.jobId = options.jobId;
  }

  get status(): number {
    return ERROR_STATUS[this.code];
  }

  /** A fault of one named field. */
  static field(code: 'invalid' | 'unprocessable' | 'too_large', path: string, message: string): AppError {
    return new AppError(code, `${path}: ${message}`, { errors: [{ path, message }] });
  }

  static notFound(what: string): AppError {
    return new AppError('not_found', `${what} was not found.`);
  }
}
