export { Limits, type LimitAnswer } from './limits';
