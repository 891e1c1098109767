import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { roleAtLeast, type Principal } from '@kernel/identity';
import { TERMINAL_STATUSES, type JobContract } from '@kernel/jobs';
import type { Page, PageQuery } from '@kernel/paging';
import { jobAcceptance, type Acceptance, type AcceptanceOptions } from './job-acceptance.repository';
import { JobHandlers } from './job-handlers.service';
import { JobSettlement } from './job-settlement.service';
import { JobSignals } from './job-signals.service';
import type { StoredJob } from './job.entity';
import { JobsRepository, type JobFilter, type QueuePosition } from './jobs.repository';
import { OutboxRelay } from './outbox-relay.service';

const POLL_MS = 250;
/** Jobs of one kind that make models talk, of one person, queued or at work. */
const MOST_OPEN = 1_000;
const RETRY_SECONDS = 10;

/** Accepts, finds, cancels and repeats jobs. */
@Injectable()
export class Jobs implements BeforeApplicationShutdown {
  private stopping = false;

  constructor(
    private readonly repository: JobsRepository,
    private readonly handlers: JobHandlers,
    private readonly settlement: JobSettlement,
    private readonly relay: OutboxRelay,
    private readonly signals: JobSignals,
  ) {}

  beforeApplicationShutdown(): void {
    this.stopping = true;
  }

  /** The CTEs of one accepted job (`job`, `job_accepted`, `job_outbox`): ``sql`WITH question AS (…), ${acceptance.ctes} SELECT …` ``. */
  acceptance<P>(contract: JobContract<P>, payload: P, options: AcceptanceOptions): Acceptance {
    return jobAcceptance(contract, payload, options);
  }

  /** Refuses with `rate_limited` while a person has 1,000 jobs of this kind in the queue or at work: nobody fills the queue for everybody. */
  async assertRoom(principal: Principal, { kind }: { kind: string }): Promise<void> {
    if ((await this.repository.openOfOwner(principal.userId, kind)) < MOST_OPEN) return;
    throw new AppError('rate_limited', `${MOST_OPEN} of your jobs of this kind are not done yet.`, { retryAfterSeconds: RETRY_SECONDS });
  }

  /** After the accepting statement: once it is committed the job starts, not at the next poll. */
  wake(): void {
    this.repository.afterCommit(() => this.relay.wake());
  }

  /** The caller's own job or one that the workspace may see; else `not_found`. */
  async get(principal: Principal, id: string): Promise<StoredJob> {
    const job = await this.repository.findVisible(principal, id);
    if (job === undefined) throw AppError.notFound('The job');
    return job;
  }

  list(principal: Principal, filter: JobFilter, page: PageQuery): Promise<Page<StoredJob>> {
    return this.repository.list(principal, filter, page);
  }

  /** Of a queued job, and of a running one that waits for a model. */
  async queuePosition(job: StoredJob): Promise<QueuePosition | undefined> {
    if (job.status === 'running') return this.repository.placeOf(job.id);
    return job.status === 'queued' ? this.repository.queuePosition(job) : undefined;
  }

  /** Answers the cancelled job, also when it was cancelled before; `conflict` when it has ended otherwise. */
  async cancel(principal: Principal, id: string): Promise<StoredJob> {
    assertMayChange(principal, await this.get(principal, id));
    return this.end(id);
  }

  /** Cancels all open jobs of a session or document; resolves when that is committed. */
  async cancelSubject(subjectId: string): Promise<void> {
    for (const id of await this.repository.openOfSubject(subjectId)) await this.supersede(id);
  }

  /** Cancels all open jobs of a workspace or of a person; resolves when that is committed. */
  async cancelAll(whose: { workspaceId: string } | { ownerId: string }): Promise<void> {
    for (const id of await this.repository.openOf(whose)) await this.supersede(id);
  }

  /** Cancels a job that something else has taken the place of; one that has ended by itself is as good. */
  async supersede(id: string): Promise<void> {
    await this.end(id).catch((error: unknown) => {
      if (!(error instanceof AppError && (error.code === 'conflict' || error.code === 'not_found'))) throw error;
    });
  }

  /** A new job for a failed or cancelled one, for whoever may do such work themselves; `conflict` for any other. */
  async retry(principal: Principal, id: string, requestId: string | null): Promise<StoredJob> {
    const job = await this.get(principal, id);
    assertMayChange(principal, job);
    if (job.status !== 'failed' && job.status !== 'cancelled') {
      throw new AppError('conflict', `Only a failed or cancelled job can be retried; this one is ${job.status}.`);
    }
    return this.get(principal, await this.again(principal, job, requestId));
  }

  /** A new job that does the work of this one again, in the principal's name; answers its id. Errors: `forbidden`, `conflict`. */
  async again(principal: Principal, job: StoredJob, requestId: string | null): Promise<string> {
    const read = this.handlers.read(job);
    if (read === undefined) throw new AppError('conflict', 'The job cannot be repeated: its stored payload breaks its contract.');
    const handler = this.handlers.get(job);
    const { needs, version: contractVersion } = handler.contract;
    if (!principal.scopes.has(needs)) throw new AppError('forbidden', `Doing this work again needs the scope ${needs}.`);
    const { jobId } = await handler.retry({ ...job, ...read, contractVersion }, principal, requestId);
    this.wake();
    return jobId;
  }

  /** Resolves with the job when it is terminal, or with undefined when the time is up, the signal aborts or the process stops: the job goes on elsewhere. */
  async finished(id: string, milliseconds: number, signal: AbortSignal): Promise<StoredJob | undefined> {
    const deadline = performance.now() + milliseconds;
    const subscription = this.signals.subscribe(id);
    try {
      for (;;) {
        const job = await this.repository.find(id);
        if (job === undefined || TERMINAL_STATUSES.has(job.status)) return job;
        const left = deadline - performance.now();
        if (left <= 0 || signal.aborted || this.stopping) return undefined;
        await subscription.next(Math.min(POLL_MS, left), signal);
      }
    } finally {
      subscription.close();
    }
  }

  private async end(id: string): Promise<StoredJob> {
    const job = await this.settlement.cancel(id);
    this.signals.cancelled(id);
    return job;
  }
}

/** What another member began, and lets the workspace see, is for its maker to end or repeat; in need for an admin. */
function assertMayChange(principal: Principal, job: StoredJob): void {
  if (job.ownerId === principal.userId || roleAtLeast(principal.role, 'admin')) return;
  throw new AppError('forbidden', "Changing another member's job needs the role admin.");
}
