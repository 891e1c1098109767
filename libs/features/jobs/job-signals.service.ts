import { Injectable } from '@nestjs/common';
import { Fanout } from '@kernel/fanout';
import { jobCancelled } from './job-faults';
import type { StoredJob } from './job.entity';
import { JobSubscription } from './job-subscription';

const CANCELLED = 'jobs:cancelled';

type EndListener = (job: StoredJob) => void;

/** While a claim is under way. */
export interface ClaimWatch {
  /** A controller that `abort` reaches until `forget`, and every abort of the job since the watch began has reached. */
  attempt(jobId: string): AbortController;
  close(): void;
}

/**
 * Word of jobs: readers hear that something was committed, also in another process where there is a Redis; running attempts of this process hear
 * that they must stop.
 * Only a hint, and bounded by one flag for each reader: who misses it finds the same in the database a poll later.
 */
@Injectable()
export class JobSignals {
  private readonly attempts = new Map<string, Set<AbortController>>();
  private readonly watches = new Set<Map<string, Error>>();
  private readonly endListeners: EndListener[] = [];
  private readonly cancelListeners: ((jobId: string) => void)[] = [];
  private readonly handBackListeners: (() => void)[] = [];

  constructor(private readonly fanout: Fanout) {
    fanout.subscribe(CANCELLED, (jobId) => this.abort(jobId, jobCancelled()));
  }

  notify(jobId: string): void {
    this.fanout.publish(channelOf(jobId), '');
  }

  /** For the life of the process. */
  onEnded(listener: EndListener): void {
    this.endListeners.push(listener);
  }

  /** After the end of the job was committed by this process. */
  ended(job: StoredJob): void {
    this.notify(job.id);
    for (const listener of this.endListeners) listener(job);
  }

  subscribe(jobId: string): JobSubscription {
    const subscription: JobSubscription = new JobSubscription(() => stop());
    const stop = this.fanout.subscribe(channelOf(jobId), () => subscription.raise());
    return subscription;
  }

  /** Opened before a claim, of which nobody knows yet what job it will be: no cancel falls between the claim and the start of its attempt. */
  watch(): ClaimWatch {
    const missed = new Map<string, Error>();
    this.watches.add(missed);
    return {
      attempt: (jobId) => {
        const controller = new AbortController();
        add(this.attempts, jobId, controller);
        const reason = missed.get(jobId);
        if (reason !== undefined) controller.abort(reason);
        return controller;
      },
      close: () => void this.watches.delete(missed),
    };
  }

  forget(jobId: string, controller: AbortController): void {
    remove(this.attempts, jobId, controller);
  }

  abort(jobId: string, reason: Error): void {
    for (const missed of this.watches) missed.set(jobId, reason);
    for (const controller of this.attempts.get(jobId) ?? []) controller.abort(reason);
  }

  /** Hears of each cancel that this process committed, to tell others where there is no Redis. For the life of the process. */
  onCancelled(listener: (jobId: string) => void): void {
    this.cancelListeners.push(listener);
  }

  /** After the cancel was committed by this process: attempts stop here and elsewhere, with a Redis also when the database stands still then. */
  cancelled(jobId: string): void {
    this.fanout.publish(CANCELLED, jobId);
    for (const listener of this.cancelListeners) listener(jobId);
  }

  /** Hears that this process has put a job back into the queue for another one. For the life of the process. */
  onHandedBack(listener: () => void): void {
    this.handBackListeners.push(listener);
  }

  handedBack(jobId: string): void {
    this.notify(jobId);
    for (const listener of this.handBackListeners) listener();
  }

  /** Jobs with an attempt in this process. */
  running(): string[] {
    return [...this.attempts.keys()];
  }

  abortAll(reason: Error): void {
    for (const jobId of this.attempts.keys()) this.abort(jobId, reason);
  }
}

function channelOf(jobId: string): string {
  return `job:${jobId}`;
}

function add<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function remove<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}
