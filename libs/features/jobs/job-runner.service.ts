import { Injectable, Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '@kernel/errors';
import type { JobMessage } from '@kernel/jobs';
import { JobAttempts, type ClaimedJob } from './job-attempts.service';
import { draining, failureOf, isForbidden, isTransient } from './job-faults';
import { JobHeartbeat } from './job-heartbeat.service';
import { JobSettlement } from './job-settlement.service';
import { JobTiming } from './job-timing.entity';
import { JobWarrant } from './job-warrant.service';
import type { StoredJob } from './job.entity';
import { LeaseLost } from './lease-lost';

interface Run {
  job: StoredJob;
  done: Promise<void>;
}

/**
 * Runs the jobs that the transport brings: claim, handler, end. A doubled message finds the lease taken; a failure decides by its
 * `retryable` whether the job waits for another attempt; a drain hands running jobs back without using up theirs.
 */
@Injectable()
export class JobRunner {
  private readonly logger = new Logger(JobRunner.name);
  private readonly runs = new Set<Run>();
  private stopping = false;

  constructor(
    private readonly attempts: JobAttempts,
    private readonly settlement: JobSettlement,
    private readonly heartbeat: JobHeartbeat,
    private readonly warrant: JobWarrant,
    private readonly timing: JobTiming,
  ) {}

  /**
   * Runs one job of the message's lane, the fairest. Resolves when this process is done with it, however it went; where none is due, or none that this
   * process knows, nothing happens. Rejects with `unavailable` or `timeout` when none could even be claimed: the message is for somebody else, or for later.
   */
  async run(message: JobMessage): Promise<void> {
    if (this.stopping) throw draining();
    const claimed = await this.claim(message);
    if (claimed === undefined) return;
    const { job, controller } = claimed;
    const run: Run = { job, done: this.execute(job, controller) };
    this.runs.add(run);
    try {
      await run.done;
    } catch (error) {
      if (!(error instanceof LeaseLost)) this.leave(job.id, error);
    } finally {
      this.runs.delete(run);
      this.attempts.close(job.id, controller);
    }
  }

  /** Stops taking jobs, aborts the running ones and hands them back, also those that do not stop in time (their later writes are refused). */
  async drain(): Promise<void> {
    this.stopping = true;
    this.attempts.abortAll(draining());
    const runs = [...this.runs];
    const timeout = new AbortController();
    const stopped = Promise.allSettled(runs.map((run) => run.done));
    await Promise.race([stopped, delay(this.timing.drainMs, undefined, { signal: timeout.signal }).catch(() => undefined)]);
    timeout.abort();
    const stubborn = runs.filter((run) => this.runs.has(run));
    // What cannot be handed back now is found by the next process: its lease is in this one's name.
    await Promise.allSettled(stubborn.map((run) => this.attempts.handBack(run.job)));
  }

  private async claim(message: JobMessage): Promise<ClaimedJob | undefined> {
    try {
      return await this.attempts.claim(message);
    } catch (error) {
      if (isTransient(error)) throw error;
      this.leave(message.job_id, error);
      return undefined;
    }
  }

  /** The row is the job: the sweep brings it again when the lease has run out. */
  private leave(jobId: string, error: unknown): void {
    this.logger.error(`Job ${jobId} was left to the sweep.`, error instanceof Error ? error.stack : String(error));
  }

  private async execute(job: StoredJob, controller: AbortController): Promise<void> {
    const stopHeartbeat = this.heartbeat.start(job, controller);
    const stopWatching = this.warrant.watch(job, controller);
    try {
      if (this.stopping) controller.abort(draining());
      controller.signal.throwIfAborted();
      await this.warrant.assert(job);
      const result = await this.attempts.work(job, controller);
      await this.persist(controller, () => this.settlement.finish(job, { status: 'succeeded', result }));
    } catch (error) {
      await this.persist(controller, () => this.fail(job, error, controller.signal));
    } finally {
      stopHeartbeat();
      stopWatching();
    }
  }

  private async fail(job: StoredJob, error: unknown, signal: AbortSignal): Promise<void> {
    if (error instanceof LeaseLost) return;
    const stopped = isForbidden(signal.reason);
    if (signal.aborted && !stopped) return hasNewOwner(signal.reason) ? undefined : this.attempts.handBack(job);
    if (!stopped && !(error instanceof AppError)) {
      this.logger.error(`Job ${job.id} (${job.kind}) failed.`, error instanceof Error ? error.stack : String(error));
    }
    const failure = failureOf(stopped ? signal.reason : error);
    // Something has overtaken the work, and nobody told the job: as if somebody had.
    if (failure.code === 'cancelled') return void (await this.settlement.finish(job, { status: 'cancelled' }));
    if (failure.retryable && job.attempt < job.maxAttempts)
      return this.attempts.postpone(job, failure.message, this.timing.backoff(job.attempt));
    await this.settlement.finish(job, { status: 'failed', error: failure });
  }

  /** Repeats a write while the database does not answer and the lease may still hold; done twice it is refused by the fence. */
  private async persist(controller: AbortController, write: () => Promise<unknown>): Promise<void> {
    const deadline = performance.now() + this.timing.leaseMs;
    for (let pause = 100; ; pause *= 2) {
      try {
        await write();
        return;
      } catch (error) {
        if (!isTransient(error) || performance.now() + pause > deadline) throw error;
        // A lost lease ends the waiting; a drain does not, for the result is there.
        if (controller.signal.reason instanceof LeaseLost) throw error;
        await delay(pause);
      }
    }
  }
}

/** The attempt was stopped because the job is somebody else's or over, not because this process ends. */
function hasNewOwner(reason: unknown): boolean {
  return reason instanceof LeaseLost || (reason instanceof AppError && reason.code === 'cancelled');
}
