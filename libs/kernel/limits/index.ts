export { AttemptCounts } from './attempt-counts';
export { Limits, type LimitAnswer } from './limits';
