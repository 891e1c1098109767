/** What travels: ids only. The row in PostgreSQL is the job. */
export interface JobMessage {
  job_id: string;
  kind: string;
}

/** The message pattern that the job consumer listens to on every transport. */
export const JOB_PATTERN = 'jobs.dispatch';

/**
 * Port: carries job messages from the outbox to a consumer (in process, or RabbitMQ). `publish` answers once the transport has taken
 * responsibility for the message; a lost message is found again by the sweep of the jobs table, a doubled one is refused by the lease.
 */
export abstract class JobTransport {
  abstract publish(message: JobMessage): Promise<void>;
}
