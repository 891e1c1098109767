import { Injectable } from '@nestjs/common';

/** One reader's ear: remembers that something happened, however often, until it is asked. */
export class JobSubscription {
  private raised = false;
  private resume?: () => void;

  constructor(readonly close: () => void) {}

  raise(): void {
    this.raised = true;
    this.resume?.();
  }

  /** Resolves at the next word of the job (at once when there was one since the last call), after `milliseconds`, or when the signal aborts. */
  async next(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (!this.raised && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.resume = () => {
          clearTimeout(timer);
          resolve();
        };
        signal.addEventListener('abort', this.resume, { once: true });
      });
      if (this.resume !== undefined) signal.removeEventListener('abort', this.resume);
      this.resume = undefined;
    }
    this.raised = false;
  }
}

/**
 * Word of jobs inside this process: readers hear that something was committed, running attempts that they must stop.
 * Only a hint, and bounded by one flag for each reader: who misses it finds the same in the database a poll later.
 */
@Injectable()
export class JobSignals {
  private readonly readers = new Map<string, Set<JobSubscription>>();
  private readonly attempts = new Map<string, Set<AbortController>>();

  notify(jobId: string): void {
    for (const reader of this.readers.get(jobId) ?? []) reader.raise();
  }

  subscribe(jobId: string): JobSubscription {
    const subscription: JobSubscription = new JobSubscription(() => remove(this.readers, jobId, subscription));
    add(this.readers, jobId, subscription);
    return subscription;
  }

  /** A controller that `abort` reaches until `forget`. It is made before the claim, so that no cancel falls between claim and start. */
  attempt(jobId: string): AbortController {
    const controller = new AbortController();
    add(this.attempts, jobId, controller);
    return controller;
  }

  forget(jobId: string, controller: AbortController): void {
    remove(this.attempts, jobId, controller);
  }

  abort(jobId: string, reason: Error): void {
    for (const controller of this.attempts.get(jobId) ?? []) controller.abort(reason);
  }

  abortAll(reason: Error): void {
    for (const jobId of this.attempts.keys()) this.abort(jobId, reason);
  }
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
