export {
  JOB_EVENTS,
  JOB_STATUSES,
  TERMINAL_EVENTS,
  TERMINAL_STATUSES,
  defineJob,
  laneName,
  lanesOf,
  payloadSchema,
  type JobContract,
  type JobEventName,
  type JobLane,
  type JobStatus,
} from './job-contract';
export { JOB_CONCURRENCY, JOB_PATTERN, JobTransport, type DeadMessage, type JobMessage } from './job-transport';
