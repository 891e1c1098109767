export { backoff } from './backoff';
export { beforeAbort } from './before-abort';
export { JointWork } from './joint-work';
export { ServiceGuard, type GuardedCall, type GuardOptions } from './service-guard';
export { cancelled, Until, within, type Limits } from './within';
