import type { Queryable } from '@backing/postgres';
import type { Principal } from '@kernel/identity';
import type { JobContract } from '@kernel/jobs';
import type { JobFailure, JobProgress, StoredJob } from './job.entity';

/** The events that a handler may write; the others belong to the runner. */
export type HandlerEvent = 'progress' | 'citations' | 'reasoning' | 'delta' | 'tool_call' | 'tool_result' | 'approval';

/** What one attempt of a job sees and may do. Every write is fenced: it rejects once the lease is lost or the job has ended. */
export interface JobContext<Payload> {
  readonly jobId: string;
  readonly workspaceId: string;
  readonly ownerId: string;
  readonly apiKeyId: string | null;
  readonly requestId: string | null;
  readonly subjectId: string | null;
  /** 1 for the first. */
  readonly attempt: number;
  readonly payload: Payload;
  /** What the last committed `transaction(…, checkpoint)` left, of this attempt or an earlier one; null at first. */
  readonly checkpoint: unknown;
  /** Aborts with an AppError as its reason: `cancelled`, `conflict` (lease lost) or `unavailable` (drain). */
  readonly signal: AbortSignal;
  /** Appends to the job's log; committed before it answers. */
  emit(event: HandlerEvent, data: object): Promise<void>;
  /** Appends a `progress` event and stores it on the job. */
  progress(progress: JobProgress): Promise<void>;
  /** Locks the job row, checks the epoch, runs `work`, and stores the checkpoint, all in one transaction. */
  transaction<T>(work: (connection: Queryable) => Promise<T>, checkpoint?: unknown): Promise<T>;
}

export type JobOutcome<Result> =
  | { status: 'succeeded'; result: Result }
  | { status: 'failed'; error: JobFailure }
  | { status: 'cancelled' };

/** The job as the transaction sees it that ends it. */
export interface SettledJob<Payload> {
  id: string;
  workspaceId: string;
  ownerId: string;
  subjectId: string | null;
  attempt: number;
  payload: Payload;
  /** The text of all deltas (or of all `reasoning`) after the last reset. */
  text(connection: Queryable, event?: 'delta' | 'reasoning'): Promise<string>;
}

/**
 * Does the work of one kind of job. An ordinary provider of its feature's module: the jobs module finds it at boot.
 * `run` may be executed more than once for one job and must leave effects through `context.transaction` or make them repeatable.
 */
export abstract class JobHandler<Payload = unknown, Result extends object = object> {
  abstract readonly contract: JobContract<Payload>;

  /** Throws an AppError: its `retryable` decides about another attempt. */
  abstract run(context: JobContext<Payload>): Promise<Result>;

  /**
   * Inside the transaction that ends the job (also on cancel and on final failure): sets the domain rows to their last state.
   * On success what it answers becomes the job's result and the data of `done`.
   */
  abstract settle(connection: Queryable, job: SettledJob<Payload>, outcome: JobOutcome<Result>): Promise<object>;

  /** A new job for a failed or cancelled one: composes its own acceptance with `retryOf`. */
  abstract retry(job: StoredJob, principal: Principal, requestId: string | null): Promise<{ jobId: string }>;
}
