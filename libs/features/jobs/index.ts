export { DeclaredJobs } from './declared-jobs.entity';
export { DeltaWriter } from './delta-writer.service';
export { eventsUrl, type Acceptance, type AcceptanceOptions } from './job-acceptance.repository';
export type { StoredJob } from './job.entity';
export {
  JobHandler,
  type HandlerEvent,
  type JobContext,
  type JobFailure,
  type JobOutcome,
  type JobProgress,
  type SettledJob,
} from './job.handler';
export { Jobs } from './jobs.service';
export type { JobFilter, QueuePosition } from './jobs.repository';
