import { createHash, randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSource, PostgresClient, raw, sql } from '@backing/postgres';

/** The databases that every data test runs on: the embedded one, and PostgreSQL 16 at TEST_DATABASE_URL. */
export type DatabaseKind = 'embedded' | 'postgres';

export interface TestDatabase {
  client: PostgresClient;
  directory: string;
  /** Unset: embedded in `directory`. */
  url?: string;
  close(): Promise<void>;
}

const adminUrl = process.env.TEST_DATABASE_URL;

/** Runs a suite once on each database. Without PostgreSQL its suite is shown as skipped; with REQUIRE_SERVICES=1 it fails. */
export function describeDatabases(name: string, suite: (kind: DatabaseKind) => void): void {
  describe(`${name} (embedded)`, () => suite('embedded'));
  const title = `${name} (PostgreSQL 16)`;
  if (adminUrl !== undefined) describe(title, () => suite('postgres'));
  else if (process.env.REQUIRE_SERVICES === '1') it(`${title}: TEST_DATABASE_URL is not set`, () => expect(adminUrl).toBeDefined());
  else describe.skip(`${title}: no server at TEST_DATABASE_URL`, () => suite('postgres'));
}

/** A new database: where it is, and how to drop it. The embedded one is a copy of a migrated template unless it must be `empty`. */
export async function newDatabase(kind: DatabaseKind, empty = false): Promise<{ url?: string; directory: string; drop(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'sutazai-test-'));
  const removeDirectory = (): void => rmSync(directory, { recursive: true, force: true });
  if (kind === 'embedded') {
    if (!empty) cpSync(await embeddedTemplate(), directory, { recursive: true });
    return { directory, drop: async () => removeDirectory() };
  }
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await onServer(`CREATE DATABASE ${name}`);
  const url = new URL(adminUrl ?? '');
  url.pathname = `/${name}`;
  return {
    url: url.href,
    directory,
    drop: async () => {
      removeDirectory();
      await onServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** An open client on a new database. */
export async function openDatabase(kind: DatabaseKind, pool = { size: 2, overflow: 8 }): Promise<TestDatabase> {
  const place = await newDatabase(kind);
  const database = { url: place.url, poolSize: pool.size, poolOverflow: pool.overflow, migrate: 'auto' as const };
  const { source, embedded } = await openSource({ directory: place.directory, database });
  // A busy machine is no overload of the database.
  const client = new PostgresClient(source, embedded, { waitMs: 10_000 });
  return {
    client,
    directory: place.directory,
    url: place.url,
    close: async () => {
      await client.onApplicationShutdown();
      await place.drop();
    },
  };
}

/** A migrated embedded database, made once for each state of the migrations: creating one takes two seconds, copying it a tenth. */
async function embeddedTemplate(): Promise<string> {
  const migrations = join(__dirname, '../../libs/backing/postgres/migrations');
  const hash = createHash('sha256').update(readFileSync(join(__dirname, '../../package-lock.json')));
  for (const file of readdirSync(migrations, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort())
    hash.update(readFileSync(join(migrations, file)));
  const template = join(tmpdir(), `sutazai-template-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(template)) return template;
  const making = mkdtempSync(join(tmpdir(), 'sutazai-making-'));
  const { source, embedded } = await openSource({ directory: making, database: { poolSize: 1, poolOverflow: 0, migrate: 'auto' } });
  await new PostgresClient(source, embedded).onApplicationShutdown();
  try {
    renameSync(making, template);
  } catch {
    // Another test process was first: its template is as good.
    rmSync(making, { recursive: true, force: true });
  }
  return template;
}

async function onServer(statement: string): Promise<void> {
  const { Client } = await import('pg');
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Counts the rows of a table. */
export async function countRows(client: PostgresClient, table: string): Promise<number> {
  const rows = await client.query<{ count: number }>(sql`SELECT count(*)::int AS count FROM ${raw(table)}`);
  return rows[0]?.count ?? 0;
}
