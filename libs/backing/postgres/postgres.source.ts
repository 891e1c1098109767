import { join } from 'node:path';
import { type AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { Client, type ClientConfig, type Pool } from 'pg';
import { DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { EmbeddedDatabase } from './embedded.client';
import { MIGRATIONS } from './migrations';
import { translated } from './postgres.error';
import { assertUsable, startFault } from './start-fault';

/** Milliseconds a statement of a request may take. */
const STATEMENT_MS = 5_000;
/** Milliseconds for migrations. */
const MIGRATION_DEADLINE = 600_000;
/** Milliseconds for making or recovering the embedded database: seconds on a quiet machine, more on a busy one. */
const OPENING_DEADLINE = 120_000;
/** The driver gives up this much later than the server: its own limit is for connections that died without a word. */
const DRIVER_GRACE = 2_000;
/** Key of the advisory lock under which one process at a time migrates; any fixed number. */
const MIGRATION_LOCK = 7_219_043_001;

/** Surplus connections are closed after idling so long. */
const IDLE_MS = 10_000;
/** Milliseconds for making a connection; for one that is free, a request waits less (connection-pool.ts). */
const CONNECTION_MS = 5_000;

export interface OpenedSource {
  source: DataSource;
  embedded?: EmbeddedDatabase;
}

/** Opens the database that the settings name and brings its schema to the version this build needs (`MIGRATE=off`: only checks it). */
export async function openSource(
  config: Pick<AppConfig, 'database' | 'directory'>,
  { statementMs = STATEMENT_MS }: { statementMs?: number } = {},
): Promise<OpenedSource> {
  const opened =
    config.database.url === undefined
      ? await embeddedSource(join(config.directory, 'database'), statementMs)
      : realSource(config, statementMs);
  const { url, poolSize, poolOverflow, migrate: mode } = config.database;
  try {
    await opened.source.initialize();
    if (url !== undefined) await assertUsable(opened.source, url, poolSize + poolOverflow);
    await migrate(opened, mode, statementMs);
  } catch (error) {
    if (opened.source.isInitialized) await opened.source.destroy();
    await opened.embedded?.close();
    throw (url === undefined ? undefined : startFault(error, url)) ?? translated(error);
  }
  return opened;
}

/** The driver's own pool: TypeORM opens it and runs the migrations, everything else is asked of it directly. */
export function poolOf(source: DataSource): Pool {
  return (source.driver as unknown as { master: Pool }).master;
}

function realSource(config: Pick<AppConfig, 'database'>, statementDeadline: number): OpenedSource {
  const { url, poolSize, poolOverflow } = config.database;
  const source = new DataSource({
    type: 'postgres',
    url,
    migrations: MIGRATIONS,
    migrationsTableName: 'migrations',
    installExtensions: false,
    applicationName: 'sutazai',
    extra: {
      max: poolSize + poolOverflow,
      min: poolSize,
      idleTimeoutMillis: IDLE_MS,
      connectionTimeoutMillis: CONNECTION_MS,
      statement_timeout: statementDeadline,
      query_timeout: statementDeadline + DRIVER_GRACE,
      keepAlive: true,
    },
  });
  return { source };
}

/** The pool of the embedded database has one client: the engine has one connection. */
async function embeddedSource(directory: string, statementDeadline: number): Promise<OpenedSource> {
  const { PglitePgConnection } = await import('@electric-sql/pglite/node-postgres');
  const embedded = new EmbeddedDatabase(directory, statementDeadline);
  await embedded.open(OPENING_DEADLINE);
  type EngineHandle = ConstructorParameters<typeof PglitePgConnection>[0]['pglite'];
  class EmbeddedClient extends Client {
    constructor(config: ClientConfig) {
      // Each client speaks on a session of its own, so that nothing of a dead one reaches it. The connection needs two members of the engine, which the session has.
      const connection = new PglitePgConnection({ pglite: embedded.session() as unknown as EngineHandle });
      // Its own way of giving up drops the listeners, and whoever waits for the connection would wait for ever.
      connection.stream.destroy = () => {
        if (connection.listenerCount('error') > 0) connection.emit('error', new Error('Connection terminated'));
        connection.end();
      };
      super({ ...config, connection } as ClientConfig);
    }
  }
  const source = new DataSource({
    type: 'postgres',
    migrations: MIGRATIONS,
    migrationsTableName: 'migrations',
    installExtensions: false,
    extra: { Client: EmbeddedClient, max: 1, connectionTimeoutMillis: 10_000 },
  });
  return { source, embedded };
}

/** Pending migrations, one transaction each, under a lock that a second process waits for. */
async function migrate({ source, embedded }: OpenedSource, mode: 'auto' | 'off', statementDeadline: number): Promise<void> {
  const runner = source.createQueryRunner();
  try {
    if (mode === 'off') {
      const pending = await new MigrationExecutor(source, runner).getPendingMigrations();
      if (pending.length > 0)
        throw new AppError(
          'unavailable',
          `The database lacks ${pending.length} migration(s) and MIGRATE=off forbids to run them: run the migration job first.`,
        );
      return;
    }
    await setDeadline(runner, embedded, MIGRATION_DEADLINE);
    await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    try {
      const executor = new MigrationExecutor(source, runner);
      executor.transaction = 'each';
      await executor.executePendingMigrations();
    } finally {
      await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      await setDeadline(runner, embedded, statementDeadline);
    }
  } finally {
    await runner.release();
  }
}

/** Migrations may take longer than requests: the deadline of this one connection, on the server's side and on the driver's. */
async function setDeadline(runner: QueryRunner, embedded: EmbeddedDatabase | undefined, milliseconds: number): Promise<void> {
  if (embedded !== undefined) {
    embedded.deadlineMilliseconds = milliseconds;
    return;
  }
  const client = (await runner.connect()) as { connectionParameters: { query_timeout: number } };
  client.connectionParameters.query_timeout = milliseconds + DRIVER_GRACE;
  await runner.query(`SET statement_timeout = ${milliseconds}`);
}
