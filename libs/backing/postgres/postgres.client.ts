import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { PoolClient } from 'pg';
import type { Sql } from 'sql-template-tag';
import type { DataSource } from 'typeorm';
import { ConnectionPool, type PoolOptions } from './connection-pool';
import type { EmbeddedDatabase } from './embedded.client';
import { connectionFault, translated } from './postgres.error';
import { poolOf } from './postgres.source';
import { readsOnly } from './read-only';

export interface StatementOptions {
  /** A hot statement: the server parses and plans it once for each connection. One name, one text. */
  name?: string;
  /** Running it twice is the same as running it once: it is keyed. A statement that only reads is so by itself. */
  repeatable?: boolean;
}

/** Runs statements: the pool, or the one connection of a transaction. */
export interface Queryable {
  /** Rows of a statement, as the driver gives them (snake_case columns, `Date` for timestamptz, strings for bigint, `Buffer` for bytea). */
  query<Row>(statement: Sql, options?: StatementOptions): Promise<Row[]>;
}

/**
 * The one door to PostgreSQL, real or embedded: one pool, opened by the module, closed last. A connection that is lost before the answer costs a
 * statement that only reads, or is marked `repeatable`, nothing: it runs once more on another one.
 * Errors: `unavailable` (no connection), `timeout` (statement deadline), `storage_full`; constraint violations pass through (`isUniqueViolation`).
 */
@Injectable()
export class PostgresClient implements Queryable, OnApplicationShutdown {
  private readonly connections: ConnectionPool;
  private observe?: (seconds: number) => void;

  constructor(
    private readonly source: DataSource,
    private readonly embeddedDatabase?: EmbeddedDatabase,
    timing: Pick<PoolOptions, 'validateAfterMs' | 'waitMs'> = {},
  ) {
    this.connections = new ConnectionPool(poolOf(source), { remote: !this.embedded, ...timing });
  }

  get embedded(): boolean {
    return this.embeddedDatabase !== undefined;
  }

  /** Milliseconds since the database last answered anything; Infinity before the first answer. */
  get silentMilliseconds(): number {
    return this.connections.silentMilliseconds;
  }

  /** Connections of the pool, and callers that wait for one. */
  get pool(): { open: number; idle: number; waiting: number } {
    return this.connections.counts;
  }

  /** `observe` hears how long each statement took, in seconds, the wait for a connection included. */
  watch(observe: (seconds: number) => void): void {
    this.observe = observe;
  }

  query<Row>(statement: Sql, options: StatementOptions = {}): Promise<Row[]> {
    return this.observed(async () => {
      const again = (): boolean => options.repeatable ?? readsOnly(statement.text);
      return this.withConnection((connection) => this.run<Row>(connection, statement, options), again);
    });
  }

  /**
   * Runs `work` in one transaction; only the connection it is given may be used inside. Never await a model, a file or the network there.
   * `repeatable`: what it does is keyed, so that it may run once more when the connection was lost, even without knowing whether it was committed.
   * Without it such a loss is `unavailable`: what was not confirmed is never reported as done.
   */
  transaction<T>(work: (connection: Queryable) => Promise<T>, { repeatable = false } = {}): Promise<T> {
    let begun = false;
    return this.withConnection(
      async (connection) => {
        await connection.query('START TRANSACTION').catch(rethrow);
        begun = true;
        try {
          const result = await work({ query: (statement, options = {}) => this.observed(() => this.run(connection, statement, options)) });
          await commit(connection);
          return result;
        } catch (error) {
          await rollBack(connection, error);
          throw error;
        }
      },
      () => repeatable || !begun,
    );
  }

  /** Whether the database answers, over the shared pool. Errors: `unavailable` with what the driver said. */
  async ping(): Promise<void> {
    await this.connections.ping().catch(rethrow);
  }

  async onApplicationShutdown(): Promise<void> {
    this.connections.close();
    if (this.source.isInitialized) await this.source.destroy();
    await this.embeddedDatabase?.close();
  }

  /** When the connection is lost and `again` allows it, the work is done a second time on one that has just answered. */
  private async withConnection<T>(work: (connection: PoolClient) => Promise<T>, again: () => boolean): Promise<T> {
    for (let second = false; ; second = true) {
      const connection = await this.connections.acquire(second);
      try {
        const result = await work(connection);
        this.connections.release(connection);
        return result;
      } catch (error) {
        const lost = this.embedded && isOutage(error) ? 'silent' : connectionFault(error);
        if (lost === undefined) this.connections.release(connection);
        else this.connections.drop(connection, error);
        // Who waited for seconds in vain does not wait twice.
        if (lost === undefined || lost === 'silent' || second || !again()) throw error;
      }
    }
  }

  /** Errors: translated. Names are for the real server alone: on the embedded one a name would outlive the client that gave it. */
  private async run<Row>(connection: PoolClient, statement: Sql, { name }: StatementOptions): Promise<Row[]> {
    const { text, values } = statement;
    const query = name === undefined || this.embedded ? { text, values } : { name, text, values };
    const { rows } = await connection.query(query).catch(rethrow);
    return rows as Row[];
  }

  private async observed<T>(work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.observe?.((performance.now() - started) / 1_000);
    }
  }
}

/** A commit whose answer was lost is not known to have happened; one of a transaction that had failed rolls back without an error. */
async function commit(connection: PoolClient): Promise<void> {
  const { command } = await connection.query('COMMIT').catch((error: unknown) => {
    if (connectionFault(error) === undefined) throw translated(error);
    throw new AppError('unavailable', 'The database did not confirm the change: it is not known to be stored.', {
      retryAfterSeconds: 1,
      cause: error,
    });
  });
  if (command !== 'COMMIT') throw new Error('A statement of the transaction failed before, and the whole was rolled back.');
}

/** A connection that cannot even roll back is lost, and the transaction with it: the first error says so then. */
async function rollBack(connection: PoolClient, error: unknown): Promise<void> {
  if (connectionFault(error) !== undefined) return;
  await connection.query('ROLLBACK').catch((fault: unknown) => {
    throw translated(fault);
  });
}

/** The embedded database ends with such an error, and every session with it. */
function isOutage(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'unavailable' || error.code === 'timeout');
}

function rethrow(error: unknown): never {
  throw translated(error);
}
