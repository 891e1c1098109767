/** What travels: ids only. The row in PostgreSQL is the job. */
export interface JobMessage {
  job_id: string;
  kind: string;
}

/** The message pattern that the job consumer listens to on every transport. */
export const JOB_PATTERN = 'jobs.dispatch';

/** How many jobs of a kind one process runs at once, whatever brings them; ingestion and answers share the machine's cores. Other kinds: 1. */
export const JOB_CONCURRENCY: Readonly<Record<string, number>> = { 'chat.answer': 2, 'agents.run': 2, 'documents.ingest': 1 };

/**
 * Port: carries job messages from the outbox to a consumer (in process, or RabbitMQ). `publish` answers once the transport has taken
 * responsibility for the message; a lost message is found again by the sweep of the jobs table, a doubled one is refused by the lease.
 */
export abstract class JobTransport {
  /** Other processes carry and run the jobs of this database too. */
  abstract readonly shared: boolean;
  /** False while nothing can be published: the outbox keeps its rows. */
  abstract readonly ready: boolean;
  /** Calls the listener each time `ready` becomes true. */
  abstract onReady(listener: () => void): void;
  /** The kinds that this process knows; told once at boot, before anything is published or consumed. */
  abstract know(kinds: readonly string[]): void;
  /** Errors: `unavailable`, `timeout`; the message may then have been taken all the same. */
  abstract publish(message: JobMessage): Promise<void>;
  /** How many messages of the kind wait for a consumer that outlive this process. Errors: `unavailable`, `timeout`. */
  abstract waiting(kind: string): Promise<number>;
}
