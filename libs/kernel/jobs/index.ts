export {
  JOB_EVENTS,
  JOB_STATUSES,
  TERMINAL_EVENTS,
  TERMINAL_STATUSES,
  defineJob,
  type JobContract,
  type JobEventName,
  type JobStatus,
} from './job-contract';
export { JOB_CONCURRENCY, JOB_PATTERN, JobTransport, type JobMessage } from './job-transport';
