export { DeclaredJobs } from './declared-jobs.entity';
export { DeltaWriter } from './delta-writer.service';
export { eventsUrl, type Acceptance, type AcceptanceOptions } from './job-acceptance.repository';
export { JobAttempts } from './job-attempts.service';
export { JobHandlers } from './job-handlers.service';
export { JobHeartbeat } from './job-heartbeat.service';
export { JobLeaseRepository } from './job-lease.repository';
export { JobLogRepository, type JobEvent } from './job-log.repository';
export { JobOutboxRepository } from './job-outbox.repository';
export { JobReader } from './job-reader.service';
export { JobRetention } from './job-retention.service';
export { JobRunner } from './job-runner.service';
export { JobSettlement } from './job-settlement.service';
export { JobSignals } from './job-signals.service';
export { JobSweep } from './job-sweep.service';
export { JobTiming } from './job-timing.entity';
export { JobWork } from './job-work.service';
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
export { JobsModule } from './jobs.module';
export { JobsRepository, type JobFilter, type QueuePosition } from './jobs.repository';
export { Jobs } from './jobs.service';
export { OutboxRelay } from './outbox-relay.service';
