import { setTimeout as delay } from 'node:timers/promises';
import { ServiceGuard } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import type { Pool, PoolClient, QueryConfig } from 'pg';
import { connectionFault, translated, WAITED } from './postgres.error';

/** A connection that idled for longer is asked for a sign of life before it is used; the driver would find out by a request that fails. */
const VALIDATE_AFTER_MS = 5_000;
const VALIDATION_MS = 500;
/** So long the server may be starting again before a caller is told; a crash of one backend costs no more. */
const STARTING_MS = 5_000;
const STARTING_POLL_MS = 100;
/** Where every connection is in use, so long does a caller wait for one. */
const WAIT_MS = 1_000;
/** Connections found dead one after the other before a caller is told. */
const MOST_DEAD = 4;
/** Above all that it may take to get a connection. */
const DEADLINE_MS = 15_000;
const PROBE_MS = 1_000;

/** The driver reads it from a single statement as well; its types do not say so. */
type TimedQuery = QueryConfig & { query_timeout: number };

export interface PoolOptions {
  /** False: the embedded database, which lives and dies with this process and opens its files again by itself. */
  remote: boolean;
  validateAfterMs?: number;
  waitMs?: number;
}

/**
 * The connections to one PostgreSQL server: validated after idling, refused at once while the server is known to be gone, found again by a probe
 * in the background. Errors of `acquire`: `unavailable`.
 */
export class ConnectionPool {
  private readonly releasedAt = new WeakMap<PoolClient, number>();
  private readonly guard: Pick<ServiceGuard, 'call' | 'trip' | 'close'>;
  private readonly validateAfterMs: number;
  private readonly waitMs: number;
  /** When the database last answered, by the process's monotonic clock (ms). */
  private answeredAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly pool: Pool,
    options: PoolOptions,
  ) {
    this.validateAfterMs = options.remote ? (options.validateAfterMs ?? VALIDATE_AFTER_MS) : Number.POSITIVE_INFINITY;
    this.waitMs = options.waitMs ?? (options.remote ? WAIT_MS : Number.POSITIVE_INFINITY);
    this.guard = options.remote
      ? new ServiceGuard({ service: 'The database', deadlineMs: DEADLINE_MS, ping: () => this.probe() })
      : UNGUARDED;
    // What ends a connection may come in one packet with the word that it is ready, before whoever asked for it can listen: without this the process ends.
    pool.on('connect', (client) => client.on('error', ignore));
    pool.on('release', (_error, client) => this.releasedAt.set(client, performance.now()));
  }

  get counts(): { open: number; idle: number; waiting: number } {
    return { open: this.pool.totalCount, idle: this.pool.idleCount, waiting: this.pool.waitingCount };
  }

  get silentMilliseconds(): number {
    return performance.now() - this.answeredAt;
  }

  /** With `validated` the connection has just answered. Who acquires must give back, by `release`. */
  async acquire(validated = false): Promise<PoolClient> {
    const acquired = await this.guard.call((signal) => this.connect(signal, validated));
    if (acquired instanceof AppError) throw acquired;
    return acquired;
  }

  /** Gives a connection back that answered. */
  release(client: PoolClient): void {
    this.answeredAt = performance.now();
    client.off('error', ignore);
    client.release();
  }

  /** Gives a connection back that is not to be used again. */
  drop(client: PoolClient, error: unknown): void {
    if (connectionFault(error) === 'silent') this.guard.trip(error);
    client.off('error', ignore);
    client.release(true);
  }

  /** Asks the server over a connection of the pool. Errors: `unavailable`, `timeout`, what the driver said. */
  ping(): Promise<void> {
    return this.guard.call(() => this.probe());
  }

  close(): void {
    this.guard.close();
  }

  /** That all connections are in use is no fault of the server: it is answered, not thrown. */
  private async connect(signal: AbortSignal, validated: boolean): Promise<PoolClient | AppError> {
    const until = performance.now() + STARTING_MS;
    for (let broken = 0, dead = 0; ; ) {
      try {
        const client = await this.take();
        // Who asked has been answered already: the connection goes back.
        if (signal.aborted) this.release(client);
        signal.throwIfAborted();
        if (await this.isAlive(client, validated)) return client;
        dead += 1;
      } catch (error) {
        const fault = connectionFault(error);
        if (fault === 'busy') return new AppError('unavailable', 'Every connection to the database is in use.', { retryAfterSeconds: 1 });
        if (fault === 'gone') this.guard.trip(error);
        broken += fault === 'broken' ? 1 : 0;
        const passes = fault === 'starting' || (fault === 'broken' && broken < 3);
        if (!passes || performance.now() > until) throw translated(error);
        await delay(STARTING_POLL_MS);
      }
      // Those that had idled are gone after the first: whoever finds new ones dead as well is told.
      if (dead >= MOST_DEAD) throw new AppError('unavailable', 'The database does not answer.', { retryAfterSeconds: 1 });
    }
  }

  /** A connection that breaks while it is in use fails its statement as well, which is where that is heard. */
  private async take(): Promise<PoolClient> {
    const full = this.pool.totalCount >= this.pool.options.max && this.pool.idleCount === 0;
    const client = await (full && Number.isFinite(this.waitMs) ? this.waited(this.pool.connect()) : this.pool.connect());
    client.on('error', ignore);
    return client;
  }

  /** A connection that comes when nobody waits for it any more goes back. */
  private async waited(coming: Promise<PoolClient>): Promise<PoolClient> {
    const over = new AbortController();
    const tooLong = delay(this.waitMs, undefined, { signal: over.signal }).then(() => undefined);
    tooLong.catch(ignore);
    const client = await Promise.race([coming, tooLong]).finally(() => over.abort());
    if (client !== undefined) return client;
    coming.then((late) => late.release(), ignore);
    throw new Error(WAITED);
  }

  private async isAlive(client: PoolClient, always: boolean): Promise<boolean> {
    const now = performance.now();
    if (!always && now - (this.releasedAt.get(client) ?? now) < this.validateAfterMs) return true;
    if (await this.answers(client, VALIDATION_MS).catch(() => false)) return true;
    await this.dropIdle();
    return false;
  }

  /** The pool gives the connection that was used last: those that still idle have been silent for longer than the one that was found dead. */
  private async dropIdle(): Promise<void> {
    for (let left = this.pool.idleCount; left > 0 && this.pool.idleCount > 0; left -= 1) this.drop(await this.take(), undefined);
  }

  private async probe(): Promise<void> {
    const client = await this.take();
    await this.answers(client, PROBE_MS);
    this.release(client);
  }

  /** True, or the driver's error and the end of the connection. */
  private async answers(client: PoolClient, milliseconds: number): Promise<true> {
    const question: TimedQuery = { text: 'SELECT 1', query_timeout: milliseconds };
    try {
      await client.query(question);
      this.answeredAt = performance.now();
      return true;
    } catch (error) {
      this.drop(client, undefined);
      throw error;
    }
  }
}

function ignore(): void {}

const UNGUARDED: Pick<ServiceGuard, 'call' | 'trip' | 'close'> = {
  call: (work) => work(new AbortController().signal),
  trip: ignore,
  close: ignore,
};
