export { AppError, type AppErrorOptions, type FieldError } from './app-error';
export { ERROR_CODES, ERROR_STATUS, ERROR_TITLE, RETRYABLE_CODES, type ErrorCode } from './error-code';
