import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { backoff, ServiceGuard, type GuardedCall } from '@kernel/calls';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { Driver } from 'neo4j-driver';
import { setTimeout as pause } from 'node:timers/promises';
import { assertVersion, isLost, isRefusal, isTransient, translated } from './neo4j.error';

/** Runs one statement of a transaction; its rows as plain objects, whole numbers as numbers. */
export type RunCypher = <Row>(cypher: string, parameters?: object) => Promise<Row[]>;

const DEADLINE_MS = 10_000;
/** For all constraints and indexes together, on a server that has just started. */
const DECLARE_MS = 60_000;
const PING_MS = 900;
const STUCK_MS = 1_600;
const CONNECTIONS = 10;
const TRIES = 3;
const RETRY = { baseMs: 20, capMs: 200 };
/** A refused password is not tried more often than this: the server locks a user out who is refused three times in a row. */
const REFUSED_MS = 30_000;
/** Questions that never got an answer hold a connection each. With so many of them open, a new one is asked only now and then. */
const MOST_OPEN = 20;

/**
 * The one door to Neo4j: one driver, made by the first call and closed last. Every call has a deadline, here and on the server, and goes through the
 * guard. The driver's own repetition waits a second before it begins, so that transactions are repeated here: at once after a lost
 * connection, after a few milliseconds when the server asks for it.
 * Errors: `unavailable` (away, wrong password, wrong version), `timeout`; faults of a statement pass through.
 */
@Injectable()
export class Neo4jClient implements OnApplicationShutdown {
  private opened?: Promise<Driver>;
  private current?: Driver;
  private refused?: { error: unknown; at: number };
  private openPings = 0;
  private losses = 0;
  private readonly guard = new ServiceGuard({ service: 'Neo4j', deadlineMs: DEADLINE_MS, ping: () => this.ping() });

  constructor(private readonly config: AppConfig) {}

  get configured(): boolean {
    return this.config.neo4j.url !== undefined;
  }

  /** How often the server was lost: what it had been told before may have gone with it. */
  get lost(): number {
    return this.losses;
  }

  read<T>(work: (run: RunCypher) => Promise<T>, call: GuardedCall = {}): Promise<T> {
    return this.call('READ', work, call);
  }

  /** `work` runs again when its transaction failed for a reason that passes. */
  write<T>(work: (run: RunCypher) => Promise<T>, call: GuardedCall = {}): Promise<T> {
    return this.call('WRITE', work, call);
  }

  /** Statements that declare constraints and indexes stand alone. */
  declare(statements: readonly string[]): Promise<void> {
    return this.guard.call(
      async () => {
        for (const statement of statements) await this.transaction('WRITE', DEADLINE_MS, (run) => run(statement));
      },
      { milliseconds: DECLARE_MS },
    );
  }

  /** Asks the server over the shared connections, whatever the guard says, within a second. A driver that is stuck is replaced. */
  async ping(): Promise<void> {
    if (this.refused !== undefined && performance.now() - this.refused.at < REFUSED_MS) throw this.refused.error;
    if (this.openPings >= MOST_OPEN) throw hanging();
    this.openPings += 1;
    const asking = this.ask().finally(() => (this.openPings -= 1));
    if (await answered(asking, PING_MS)) return;
    void this.replaceStuck(asking);
    throw hanging();
  }

  async onApplicationShutdown(): Promise<void> {
    this.guard.close();
    await this.forget();
  }

  private async ask(): Promise<void> {
    try {
      const session = (await this.driver()).session();
      try {
        await session.run('RETURN 1');
      } finally {
        void session.close().catch(() => undefined);
      }
    } catch (error) {
      throw this.told(error);
    }
  }

  /** A server that is only slow has answered by now; connections that lead nowhere never will. */
  private async replaceStuck(asking: Promise<void>): Promise<void> {
    const { current } = this;
    const over = await answered(asking, STUCK_MS).catch(() => true);
    if (!over && this.current === current) await this.forget();
  }

  private async call<T>(mode: 'READ' | 'WRITE', work: (run: RunCypher) => Promise<T>, call: GuardedCall): Promise<T> {
    const milliseconds = call.milliseconds ?? DEADLINE_MS;
    return this.guard.call((signal) => this.attempts(mode, milliseconds, work, signal), { ...call, milliseconds });
  }

  private async attempts<T>(
    mode: 'READ' | 'WRITE',
    milliseconds: number,
    work: (run: RunCypher) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.transaction(mode, milliseconds, work);
      } catch (error) {
        const cause = error instanceof AppError ? error.cause : error;
        const again = isTransient(cause) ? attempt + 1 < TRIES : isLost(cause) && attempt === 0;
        if (!again || signal.aborted) throw error;
        if (!isLost(cause)) await pause(backoff(attempt, RETRY));
      }
    }
  }

  private async transaction<T>(mode: 'READ' | 'WRITE', milliseconds: number, work: (run: RunCypher) => Promise<T>): Promise<T> {
    try {
      const driver = await this.driver();
      const session = driver.session({ defaultAccessMode: mode });
      try {
        const transaction = await session.beginTransaction({ timeout: milliseconds });
        const result = await work(async <Row>(cypher: string, parameters = {}) => {
          const { records } = await transaction.run(cypher, parameters);
          return records.map((record) => record.toObject() as Row);
        });
        await transaction.commit();
        return result;
      } finally {
        // Rolls back what is open; of a connection that hangs nobody waits for it.
        void session.close().catch(() => undefined);
      }
    } catch (error) {
      throw this.told(error);
    }
  }

  private told(error: unknown): unknown {
    const ours = translated(error);
    if (isLost(error)) this.losses += 1;
    if (isRefusal(error)) {
      this.refused = { error: ours, at: performance.now() };
      this.guard.trip(ours);
    }
    return ours;
  }

  private driver(): Promise<Driver> {
    if (this.opened !== undefined) return this.opened;
    const opening: Promise<Driver> = this.open().catch((error: unknown) => {
      if (this.opened === opening) this.opened = undefined;
      throw error;
    });
    this.opened = opening;
    return opening;
  }

  private async open(): Promise<Driver> {
    const { url, user, password } = this.config.neo4j;
    if (url === undefined) throw new AppError('internal', 'NEO4J_URL is not set.');
    const { default: neo4j } = await import('neo4j-driver');
    const driver = neo4j.driver(url, neo4j.auth.basic(user, password ?? ''), {
      maxConnectionPoolSize: CONNECTIONS,
      connectionAcquisitionTimeout: 2_000,
      connectionTimeout: 1_000,
      connectionLivenessCheckTimeout: 30_000,
      disableLosslessIntegers: true,
      telemetryDisabled: true,
      userAgent: 'sutazai-platform',
    });
    this.current = driver;
    try {
      assertVersion((await driver.getServerInfo()).agent ?? '');
      this.refused = undefined;
      return driver;
    } catch (error) {
      await driver.close().catch(() => undefined);
      throw error;
    }
  }

  /** Its connections are destroyed; the next call makes another. */
  private async forget(): Promise<void> {
    const { current } = this;
    this.current = undefined;
    this.opened = undefined;
    await current?.close().catch(() => undefined);
  }
}

/** Whether it ends within that time; its error when it fails. */
async function answered(asking: Promise<void>, milliseconds: number): Promise<boolean> {
  asking.catch(() => undefined);
  const waiting = new AbortController();
  const overdue = pause(milliseconds, false, { signal: waiting.signal, ref: false });
  overdue.catch(() => undefined);
  try {
    return await Promise.race([asking.then(() => true), overdue]);
  } finally {
    waiting.abort();
  }
}

function hanging(): AppError {
  return new AppError('unavailable', 'Neo4j does not answer at NEO4J_URL.', { retryAfterSeconds: 2 });
}
