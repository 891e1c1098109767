import type { Until } from '@kernel/calls';

/** `soon`: a person waits (an answer's next step, the embedding of a question). `later`: ingestion. */
export type Turn = 'soon' | 'later';
export type Release = () => void;

interface Waiter {
  turn: Turn;
  since: number;
  grant(release: Release): void;
}

/** Milliseconds after which a `later` turn goes first, so that ingestion crawls under constant chat but never stops. */
const PATIENCE = 2_000;

/**
 * One turn at a time on the processor, first come first served within a class; `soon` goes before `later`. While somebody holds a reservation
 * (a chat between two of its steps) `later` does not slip in, except one turn each `patience` milliseconds.
 */
export class TurnQueue {
  private waiting: Waiter[] = [];
  private taken = false;
  private reservations = 0;

  constructor(private readonly patience = PATIENCE) {}

  get length(): number {
    return this.waiting.length;
  }

  get busy(): boolean {
    return this.taken;
  }

  /** Resolves with the function that ends the turn; rejects with the signal's reason when it aborts first, or with `timeout`. */
  async take(turn: Turn, signal?: AbortSignal, until?: Until): Promise<Release> {
    signal?.throwIfAborted();
    if (!this.taken && this.waiting.length === 0 && (turn === 'soon' || this.reservations === 0)) return this.start();
    return new Promise<Release>((resolve, reject) => {
      const timer = turn === 'later' ? setTimeout(() => this.next(), this.patience) : undefined;
      const late = until && setTimeout(() => expire(until), until.left);
      const leave = (): void => {
        clearTimeout(timer);
        clearTimeout(late);
        signal?.removeEventListener('abort', abandon);
        this.waiting = this.waiting.filter((other) => other !== waiter);
      };
      const abandon = (): void => {
        leave();
        reject(signal?.reason as Error);
      };
      const expire = ({ error }: Until): void => {
        leave();
        reject(error);
      };
      const waiter: Waiter = {
        turn,
        since: performance.now(),
        grant: (release) => {
          leave();
          resolve(release);
        },
      };
      signal?.addEventListener('abort', abandon, { once: true });
      this.waiting.push(waiter);
      this.next();
    });
  }

  /** Keeps `later` out between the turns of one piece of work, until the answered function is called. */
  reserve(): Release {
    this.reservations += 1;
    return once(() => {
      this.reservations -= 1;
      this.next();
    });
  }

  private start(): Release {
    this.taken = true;
    return once(() => {
      this.taken = false;
      this.next();
    });
  }

  private next(): void {
    if (this.taken) return;
    const waiter = this.choose();
    if (waiter !== undefined) waiter.grant(this.start());
  }

  private choose(): Waiter | undefined {
    const later = this.waiting.find(({ turn }) => turn === 'later');
    if (later !== undefined && performance.now() - later.since >= this.patience - 1) return later;
    return this.waiting.find(({ turn }) => turn === 'soon') ?? (this.reservations === 0 ? later : undefined);
  }
}

function once(work: () => void): Release {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
