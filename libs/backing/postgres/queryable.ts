import type { Sql } from 'sql-template-tag';

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
