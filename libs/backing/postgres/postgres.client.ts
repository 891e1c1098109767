import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { PoolClient } from 'pg';
import type { Sql } from 'sql-template-tag';
import type { DataSource } from 'typeorm';
import { ConnectionPool, type PoolOptions } from './connection-pool';
import type { EmbeddedDatabase } from './embedded.client';
import { connectionFault, translated } from './postgres.error';
import { poolOf } from './postgres.source';
import type { Queryable, StatementOptions } from './queryable';
import { readsOnly } from './read-only';
import { RequestTransaction } from './request-transaction';

/** The transaction of the request that is being answered; what is done `beforehand` does not begin it. */
interface CurrentRequest {
  transaction: RequestTransaction;
  beforehand?: true;
}

/**
 * The one door to PostgreSQL, real or embedded: one pool, opened by the module, closed last. A connection that is lost before the answer costs a
 * statement that only reads, or is marked `repeatable`, nothing: it runs once more on another one.
 * Errors: `unavailable` (no connection), `timeout` (statement deadline), `storage_full`; constraint violations pass through (`isUniqueViolation`).
 */
@Injectable()
export class PostgresClient implements Queryable, OnApplicationShutdown {
  private readonly connections: ConnectionPool;
  private readonly requests = new AsyncLocalStorage<CurrentRequest>();
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
    const current = this.requests.getStore();
    if (current !== undefined) {
      const reads = readsOnly(statement.text);
      const transaction = joinedBy(current, !reads);
      if (transaction !== undefined) {
        const ask = (connection: Queryable): Promise<Row[]> => connection.query<Row>(statement, options);
        return reads ? transaction.read(ask) : transaction.unit(ask);
      }
    }
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
  transaction<T>(work: (connection: Queryable) => Promise<T>, options: { repeatable?: boolean } = {}): Promise<T> {
    const current = this.requests.getStore();
    const joined = current && joinedBy(current, true);
    return joined === undefined ? this.ownTransaction(work, options) : joined.unit(work);
  }

  /** One transaction for all that is written `within` it, begun by the first write. `admit` runs first in it; when that rejects nothing is written. */
  requestTransaction(admit: (connection: Queryable) => Promise<void>): RequestTransaction {
    return new RequestTransaction((work) => this.ownTransaction(work), admit);
  }

  /** Runs `work`, and whatever it starts, so that its writes are those of the transaction until that is over. */
  within<T>(transaction: RequestTransaction, work: () => T): T {
    return this.requests.run({ transaction }, work);
  }

  /** Runs `work` so that its writes begin no transaction of the request: what waits for a file or the network, and what stands for itself. */
  beforehand<T>(work: () => T): T {
    const current = this.requests.getStore();
    return current === undefined ? work() : this.requests.run({ ...current, beforehand: true }, work);
  }

  /** Runs `work` when what the request has written so far is stored; at once, and with its result, where nothing waits to be. */
  afterCommit<T>(work: () => T): T | undefined {
    const current = this.requests.getStore();
    return current === undefined ? work() : current.transaction.afterCommit(work);
  }

  private ownTransaction<T>(
    work: (connection: Queryable) => Promise<T>,
    { repeatable = false }: { repeatable?: boolean } = {},
  ): Promise<T> {
    let begun = false;
    return this.withConnection(
      async (connection) => {
        await connection.query('START TRANSACTION').catch(rethrow);
        begun = true;
        const inside = this.inside(connection);
        try {
          const result = await work(inside);
          inside.end();
          await commit(connection);
          return result;
        } catch (error) {
          inside.end();
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

  /** The connection as the work of a transaction sees it: until the end of that, for the connection then serves others. */
  private inside(connection: PoolClient): Queryable & { end(): void } {
    let ended = false;
    return {
      query: async <Row>(statement: Sql, options: StatementOptions = {}) => {
        if (ended) throw new Error('The transaction has ended.');
        return this.observed(() => this.run<Row>(connection, statement, options));
      },
      end: () => {
        ended = true;
      },
    };
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

/** The transaction that a statement of the request belongs to: the open one, or the one that it `begins`. */
function joinedBy({ transaction, beforehand }: CurrentRequest, begins: boolean): RequestTransaction | undefined {
  if (transaction.over) return undefined;
  return transaction.open || (begins && beforehand !== true) ? transaction : undefined;
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
