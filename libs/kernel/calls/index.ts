export { backoff } from './backoff';
export { beforeAbort } from './before-abort';
export { ServiceGuard, type GuardedCall, type GuardOptions } from './service-guard';
