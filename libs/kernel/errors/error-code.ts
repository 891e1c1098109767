/** The closed list of error codes (RFC 9457 problems carry one in `code`) with the HTTP status of each. A new code does not compile until it is mapped. */
export const ERROR_STATUS = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  conflict: 409,
  idempotency_in_progress: 409,
  cancelled: 409,
  gone: 410,
  precondition_failed: 412,
  too_large: 413,
  unsupported_media_type: 415,
  unprocessable: 422,
  idempotency_key_reused: 422,
  egress_blocked: 422,
  context_length_exceeded: 422,
  rate_limited: 429,
  budget_exhausted: 429,
  internal: 500,
  unavailable: 503,
  timeout: 504,
  storage_full: 507,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export const ERROR_CODES = Object.keys(ERROR_STATUS) as ErrorCode[];

/** The short human title of each code, as shown in `title` of a problem document. */
export const ERROR_TITLE: Record<ErrorCode, string> = {
  invalid: 'The request is not valid',
  unauthenticated: 'Authentication is required',
  forbidden: 'Not allowed',
  not_found: 'Not found',
  method_not_allowed: 'Method not allowed',
  not_acceptable: 'No acceptable representation',
  conflict: 'Conflict with the current state',
  idempotency_in_progress: 'The first request with this key is still running',
  cancelled: 'Cancelled',
  gone: 'No longer available',
  precondition_failed: 'Precondition failed',
  too_large: 'Too large',
  unsupported_media_type: 'Unsupported media type',
  unprocessable: 'The content cannot be processed',
  idempotency_key_reused: 'The idempotency key was used for another request',
  egress_blocked: 'The address may not be reached from here',
  context_length_exceeded: "The model's context is too small",
  rate_limited: 'Too many requests',
  budget_exhausted: 'The budget is used up',
  internal: 'Internal error',
  unavailable: 'Temporarily unavailable',
  timeout: 'Timed out',
  storage_full: 'The storage is full',
};

/** Failures that may pass when the same thing is tried again; a job reads its error's own word. */
export const RETRYABLE_CODES: ReadonlySet<ErrorCode> = new Set(['unavailable', 'timeout', 'internal']);
