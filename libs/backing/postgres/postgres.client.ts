import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Pool } from 'pg';
import type { Sql } from 'sql-template-tag';
import { type DataSource, type QueryRunner } from 'typeorm';
import type { EmbeddedDatabase } from './embedded.client';
import { translated } from './postgres.error';

/** Runs statements: the pool, or the one connection of a transaction. */
export interface Queryable {
  /** Rows of a statement, as the driver gives them (snake_case columns, `Date` for timestamptz, strings for bigint, `Buffer` for bytea). */
  query<Row>(statement: Sql): Promise<Row[]>;
}

/**
 * The one door to PostgreSQL, real or embedded: one pool, opened by the module, closed last.
 * Errors: `unavailable` (no connection), `timeout` (statement deadline), `storage_full`; constraint violations pass through (`isUniqueViolation`).
 */
@Injectable()
export class PostgresClient implements Queryable, OnApplicationShutdown {
  /** When the database last answered, by the process's monotonic clock (ms). */
  private answeredAt = Number.NEGATIVE_INFINITY;
  private observe?: (seconds: number) => void;

  constructor(
    private readonly source: DataSource,
    private readonly embeddedDatabase?: EmbeddedDatabase,
  ) {}

  get embedded(): boolean {
    return this.embeddedDatabase !== undefined;
  }

  /** Milliseconds since the database last answered anything; Infinity before the first answer. */
  get silentMilliseconds(): number {
    return performance.now() - this.answeredAt;
  }

  /** Connections of the pool, and callers that wait for one. */
  get pool(): { open: number; idle: number; waiting: number } {
    const pool = (this.source.driver as unknown as { master?: Pick<Pool, 'totalCount' | 'idleCount' | 'waitingCount'> }).master;
    return { open: pool?.totalCount ?? 0, idle: pool?.idleCount ?? 0, waiting: pool?.waitingCount ?? 0 };
  }

  /** `observe` hears how long each statement took, in seconds, the wait for a connection included. */
  watch(observe: (seconds: number) => void): void {
    this.observe = observe;
  }

  async query<Row>(statement: Sql): Promise<Row[]> {
    const runner = this.source.createQueryRunner();
    try {
      return await this.run<Row>(runner, statement);
    } finally {
      await runner.release();
    }
  }

  /** Runs `work` in one transaction; only the connection it is given may be used inside. Never await a model, a file or the network there. */
  async transaction<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    const runner = this.source.createQueryRunner();
    try {
      await this.attempt(() => runner.startTransaction());
      const result = await work({ query: (statement) => this.run(runner, statement) });
      await this.attempt(() => runner.commitTransaction());
      return result;
    } catch (error) {
      // A rollback that fails means the connection is gone, and the transaction with it; the first error is the one to report.
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
  }

  async ping(): Promise<void> {
    await this.attempt(() => this.source.query('SELECT 1'));
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.source.isInitialized) await this.source.destroy();
    await this.embeddedDatabase?.close();
  }

  private async run<Row>(runner: QueryRunner, statement: Sql): Promise<Row[]> {
    const started = performance.now();
    try {
      const result = await this.attempt(() => runner.query(statement.text, statement.values, true));
      return result.records as Row[];
    } finally {
      this.observe?.((performance.now() - started) / 1_000);
    }
  }

  private async attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.answeredAt = performance.now();
      return result;
    } catch (error) {
      throw translated(error);
    }
  }
}
