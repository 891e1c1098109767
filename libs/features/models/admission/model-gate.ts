import { AppError } from '@kernel/errors';
import { FairShare } from './fair-share';
import { ServiceTimes } from './service-times';

/** `interactive`: a person waits for it. `batch`: embedding of what is stored. */
export type Urgency = 'interactive' | 'batch';

export interface GateLimits {
  /** Calls that the model works on at once; read at every turn, for servers come and go. */
  concurrency(): number;
  /** Calls of one urgency that may wait. */
  queue: number;
  /** Seconds that a call may wait. */
  seconds: number;
}

export interface Claim {
  workspaceId: string;
  urgency: Urgency;
  /** False: waits although the queue is full, as the part of something that has been let in already. */
  refusable: boolean;
  /** False: not refused when the gate closes either; whoever made it stops it. */
  drained: boolean;
  signal: AbortSignal;
}

/** One call that waits for its turn. */
export interface Waiter extends Claim {
  since: number;
  start(): void;
  fail(error: AppError): void;
}

/** An estimate from recent speed; `position` 1 is next. */
export interface QueuePlace {
  position: number;
  etaSeconds: number;
}

/** Called once when the work is over. */
export type Leave = () => void;

export type RefusalReason = 'full' | 'late' | 'stopping';

/** So many interactive calls may start one after the other while a batch waits. */
const AHEAD = 4;
/**
 * A workspace may fill so many times the room that it leaves (Choudhury, Hahne: "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches",
 * 1998): one alone two thirds of the queue, and whoever comes next finds room.
 */
const GREED = 2;
const LONGEST_RETRY = 60;

/**
 * The door to one model: at most `concurrency` calls are in. The others wait in two bounded queues, of which the interactive one goes first, though never
 * more than four times in a row while a batch waits; of several places the last is never a batch's. Within a queue workspaces get equal shares.
 * Errors of `enter`: `unavailable` with `retryAfterSeconds` (at once when the queue is full for this workspace; when the wait was too long; when the
 * gate closes), `cancelled` as soon as the signal aborts.
 */
export class ModelGate {
  private readonly queues: Record<Urgency, FairShare<Waiter>> = { interactive: new FairShare(), batch: new FairShare() };
  private readonly running: Record<Urgency, number> = { interactive: 0, batch: 0 };
  private readonly times = new ServiceTimes();
  private ahead = 0;
  private closed = false;

  constructor(
    private readonly model: string,
    private readonly limits: GateLimits,
    private readonly refused: (reason: RefusalReason) => void = () => undefined,
  ) {}

  get inUse(): number {
    return this.running.interactive + this.running.batch;
  }

  get capacity(): number {
    return Math.max(1, this.limits.concurrency());
  }

  waiting(urgency: Urgency): number {
    return this.queues[urgency].size;
  }

  /** Resolves when the call may begin, with what ends it. `queued`: called when it has to wait. */
  enter(claim: Claim, queued: (waiter: Waiter) => void = () => undefined): Promise<Leave> {
    const refusal = this.refusal(claim);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise<Leave>((resolve, reject) => {
      const queue = this.queues[claim.urgency];
      const timer = setTimeout(() => this.refuse(waiter, 'late'), this.limits.seconds * 1_000).unref();
      const abandon = (): void => waiter.fail(cancelled(claim.signal));
      let waits = true;
      const settle = (end: () => void): void => {
        waits = false;
        clearTimeout(timer);
        claim.signal.removeEventListener('abort', abandon);
        queue.remove(claim.workspaceId, waiter);
        end();
      };
      const waiter: Waiter = {
        ...claim,
        since: performance.now(),
        start: () => settle(() => resolve(this.begin(claim.urgency))),
        fail: (error) => settle(() => reject(error)),
      };
      claim.signal.addEventListener('abort', abandon, { once: true });
      queue.add(claim.workspaceId, waiter);
      this.next();
      if (waits) queued(waiter);
    });
  }

  /** Throws what a refusable claim would be answered now. */
  assertRoom(claim: Claim): void {
    const refusal = this.refusal(claim);
    if (refusal !== undefined) throw refusal;
  }

  /** Where a call stands; undefined when it does not wait any more. */
  place(waiter: Waiter): QueuePlace | undefined {
    const at = this.queues[waiter.urgency].order().indexOf(waiter);
    if (at < 0) return undefined;
    const before = waiter.urgency === 'batch' ? this.waiting('interactive') : 0;
    const position = before + at + 1;
    return { position, etaSeconds: Math.ceil((position * this.times.mean) / this.capacity) };
  }

  /** Nobody new comes in but what belongs to calls that are in; who waits is refused. */
  close(): void {
    this.closed = true;
    for (const urgency of ['interactive', 'batch'] as const)
      for (const waiter of this.queues[urgency].order()) if (waiter.drained) this.refuse(waiter, 'stopping');
  }

  private refusal(claim: Claim): AppError | undefined {
    if (claim.signal.aborted) return cancelled(claim.signal);
    const reason = this.closed && claim.drained ? 'stopping' : claim.refusable && this.isFull(claim) ? 'full' : undefined;
    if (reason === undefined) return undefined;
    this.refused(reason);
    return this.unavailable(reason);
  }

  private isFull({ urgency, workspaceId }: Claim): boolean {
    const queue = this.queues[urgency];
    if (queue.size === 0 && this.mayStart(urgency)) return false;
    const left = Math.max(0, this.limits.queue - queue.size);
    return queue.of(workspaceId) >= GREED * left;
  }

  private begin(urgency: Urgency): Leave {
    const started = performance.now();
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.running[urgency] -= 1;
      this.times.add((performance.now() - started) / 1_000);
      this.next();
    };
  }

  private next(): void {
    for (let urgency = this.choose(); urgency !== undefined; urgency = this.choose()) {
      const waiter = this.queues[urgency].next();
      if (waiter === undefined) return;
      this.ahead = urgency === 'interactive' && this.waiting('batch') > 0 ? this.ahead + 1 : 0;
      this.running[urgency] += 1;
      waiter.start();
    }
  }

  private choose(): Urgency | undefined {
    const [interactive, batch] = (['interactive', 'batch'] as const).map((urgency) => this.waiting(urgency) > 0 && this.mayStart(urgency));
    if (interactive && batch) return this.ahead >= AHEAD ? 'batch' : 'interactive';
    return interactive ? 'interactive' : batch ? 'batch' : undefined;
  }

  private mayStart(urgency: Urgency): boolean {
    const places = this.capacity;
    if (this.inUse >= places) return false;
    return urgency === 'interactive' || this.running.batch < Math.max(1, places - 1);
  }

  private refuse(waiter: Waiter, reason: RefusalReason): void {
    this.refused(reason);
    waiter.fail(this.unavailable(reason));
  }

  private unavailable(reason: RefusalReason): AppError {
    if (reason === 'stopping') return new AppError('unavailable', 'The server is stopping.', { retryAfterSeconds: 1 });
    const { seconds } = this.limits;
    const why = reason === 'full' ? 'Too many calls wait' : `The call has waited ${seconds} s`;
    return new AppError('unavailable', `${why} for the model ${this.model}: try again later.`, { retryAfterSeconds: this.retryAfter });
  }

  /** Seconds until all that wait now have had their turn. */
  private get retryAfter(): number {
    const waiting = this.waiting('interactive') + this.waiting('batch');
    return Math.min(LONGEST_RETRY, Math.max(1, Math.ceil((waiting * this.times.mean) / this.capacity)));
  }
}

function cancelled(signal: AbortSignal): AppError {
  return new AppError('cancelled', 'The work was cancelled.', { cause: signal.reason });
}
