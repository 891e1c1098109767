export { backoff } from './backoff';
export { ServiceGuard, type GuardedCall, type GuardOptions } from './service-guard';
