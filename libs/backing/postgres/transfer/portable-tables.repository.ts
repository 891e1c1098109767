import sql, { join, raw, type Sql } from 'sql-template-tag';
import type { Queryable } from '../queryable';

/** A table whose rows move from one database to another of the same schema. */
export interface PortableTable {
  name: string;
  /** In the order in which their values stand in a row. */
  columns: { name: string; type: string }[];
  /** The columns of its primary key: the order of its rows. */
  key: { name: string; type: string }[];
}

/** The values of a row as PostgreSQL writes them, which lose nothing; null: NULL. */
export type PortableRow = (string | null)[];

/** Rows on their way through memory at once; a row is a message, a passage with its vector, an event: kilobytes. */
const ROWS = 200;
const quoted = (name: string): Sql => raw(`"${name.replaceAll('"', '""')}"`);

/**
 * Reads and writes whole tables in values of text, for every table that the schema has (tables of vectors excepted: the ledger rebuilds them).
 * Everything runs on the connection of one transaction, which `settle` has prepared.
 */
export class PortableTables {
  /** Values are written the same way by every server. */
  async settle(connection: Queryable): Promise<void> {
    for (const setting of [
      "timezone = 'UTC'",
      "datestyle = 'ISO'",
      "intervalstyle = 'postgres'",
      "bytea_output = 'hex'",
      'extra_float_digits = 1',
    ])
      await connection.query(sql`SET LOCAL ${raw(setting)}`);
  }

  async migrations(connection: Queryable): Promise<string[]> {
    const rows = await connection.query<{ name: string }>(sql`SELECT name FROM migrations ORDER BY timestamp, name`);
    return rows.map(({ name }) => name);
  }

  /** All tables by name but the list of migrations, those of vectors, and those named in `without`. */
  async list(connection: Queryable, without: readonly string[]): Promise<PortableTable[]> {
    const rows = await connection.query<{ name: string; columns: PortableTable['columns']; key: PortableTable['key'] | null }>(
      sql`SELECT c.relname AS name,
            (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
              FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
            (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY array_position(i.indkey::int2[], a.attnum))
              FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary) AS key
          FROM pg_class c
          WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND NOT c.relname = ANY(${['migrations', ...without]}::text[])
            AND NOT EXISTS (SELECT 1 FROM spaces s WHERE s.physical_name = c.relname)
          ORDER BY c.relname COLLATE "C"`,
    );
    return rows.map(({ name, columns, key }) => {
      if (key === null) throw new Error(`The table ${name} has no primary key: its rows have no order.`);
      return { name, columns, key };
    });
  }

  /** Every row in the order of the primary key, which is the same on every server; in batches of bounded size. */
  async *rows(connection: Queryable, { name, columns, key }: PortableTable): AsyncGenerator<PortableRow[]> {
    const values = columns.map((column) => sql`${quoted(column.name)}::text`);
    const order = key.map((column) => sql`${quoted(column.name)}${raw(column.type === 'text' ? ' COLLATE "C"' : '')}`);
    await connection.query(
      sql`DECLARE portable_rows NO SCROLL CURSOR FOR SELECT json_build_array(${join(values)})::text AS "values" FROM ${quoted(name)} ORDER BY ${join(order)}`,
    );
    for (;;) {
      const rows = await connection.query<{ values: string }>(sql`FETCH ${raw(String(ROWS))} FROM portable_rows`);
      if (rows.length > 0) yield rows.map(({ values: text }) => JSON.parse(text) as PortableRow);
      if (rows.length < ROWS) break;
    }
    await connection.query(sql`CLOSE portable_rows`);
  }

  async insert(connection: Queryable, { name, columns }: PortableTable, rows: PortableRow[]): Promise<void> {
    const values = columns.map(({ type }, index) => sql`(r ->> ${raw(String(index))})::${raw(type)}`);
    await connection.query(
      sql`INSERT INTO ${quoted(name)} (${join(columns.map((column) => quoted(column.name)))})
          SELECT ${join(values)} FROM json_array_elements(${JSON.stringify(rows)}::json) AS r`,
    );
  }

  /** Whether a table has any row. */
  async holds(connection: Queryable, name: string): Promise<boolean> {
    return (await connection.query(sql`SELECT 1 FROM ${quoted(name)} LIMIT 1`)).length > 0;
  }

  async clear(connection: Queryable, tables: PortableTable[]): Promise<void> {
    for (const { name } of tables) await connection.query(sql`DELETE FROM ${quoted(name)}`);
  }

  /** Runs `work` while foreign keys wait for its end, so that tables and rows may come in any order. */
  async withoutOrder(connection: Queryable, work: () => Promise<void>): Promise<void> {
    const keys = await connection.query<{ name: string; table: string }>(
      sql`SELECT k.conname AS name, c.relname AS table FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
          WHERE k.contype = 'f' AND NOT k.condeferrable AND c.relnamespace = current_schema()::regnamespace ORDER BY 2, 1`,
    );
    const change = async (mode: string): Promise<void> => {
      for (const key of keys)
        await connection.query(sql`ALTER TABLE ${quoted(key.table)} ALTER CONSTRAINT ${quoted(key.name)} ${raw(mode)}`);
    };
    await change('DEFERRABLE INITIALLY DEFERRED');
    await work();
    await connection.query(sql`SET CONSTRAINTS ALL IMMEDIATE`);
    await change('NOT DEFERRABLE');
  }

  /** The last value of every sequence by name; null: never used. */
  async sequences(connection: Queryable): Promise<Record<string, string | null>> {
    const rows = await connection.query<{ name: string; value: string | null }>(
      sql`SELECT sequencename AS name, last_value::text AS value FROM pg_sequences
          WHERE schemaname = current_schema() AND sequencename <> 'migrations_id_seq' ORDER BY sequencename COLLATE "C"`,
    );
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  }

  async setSequence(connection: Queryable, name: string, value: string): Promise<void> {
    await connection.query(sql`SELECT setval(${name}::regclass, ${value}::bigint)`);
  }
}
