import type { JobLane } from './job-contract';

/**
 * What travels: ids only. The row in PostgreSQL is the job, and the message a token: one job of its lane is to be run. Which one is the fairest is decided
 * when it arrives, so the job that it names may run by another's token.
 */
export interface JobMessage extends JobLane {
  job_id: string;
}

/** A message that the transport has given up: brought too often, or not readable. */
export interface DeadMessage {
  /** Undefined for what no relay of ours wrote. */
  message?: JobMessage;
  reason: string;
}

/** The message pattern that the job consumer listens to on every transport. */
export const JOB_PATTERN = 'jobs.dispatch';

/** How many jobs of a kind one process runs at once, whatever brings them; ingestion and answers share the machine's cores. Other kinds: 1. */
export const JOB_CONCURRENCY: Readonly<Record<string, number>> = { 'chat.answer': 2, 'agents.run': 2, 'documents.ingest': 1 };

/**
 * Port: carries job messages from the outbox to a consumer (in process, or RabbitMQ). `publish` answers once the transport has taken
 * responsibility for the message; a lost message is found again by the sweep of the jobs table, a doubled one finds nothing to run.
 */
export abstract class JobTransport {
  /** Other processes carry and run the jobs of this database too. */
  abstract readonly shared: boolean;
  /** It can keep a message until its time has come; else the outbox keeps it. */
  abstract readonly delays: boolean;
  /** False while nothing can be published: the outbox keeps its rows. */
  abstract readonly ready: boolean;
  /** Calls the listener each time `ready` becomes true. */
  abstract onReady(listener: () => void): void;
  /** What this process can run; told once at boot, before anything is published or consumed. */
  abstract know(lanes: readonly JobLane[]): void;
  /** Brings the message after `delayMs` at the earliest. Errors: `unavailable`, `timeout`; the message may then have been taken all the same. */
  abstract publish(message: JobMessage, delayMs?: number): Promise<void>;
  /** How many messages of the lane wait for a consumer. Errors: `unavailable`, `timeout`. */
  abstract waiting(lane: JobLane): Promise<number>;
  /** Who hears of messages that were given up; told once at boot. A rejection keeps the message for later. */
  abstract onDead(listener: (dead: DeadMessage) => Promise<void>): void;
}
