import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openSource, PostgresClient, raw, sql, isUniqueViolation } from '@backing/postgres';
import { v7 } from 'uuid';
import { countRows, describeDatabases, newDatabase, openDatabase, type TestDatabase } from '../support/databases';

describeDatabases('PostgresClient', (kind) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase(kind);
  });
  afterAll(() => database.close());

  const insertUser = (email: string) => sql`INSERT INTO users (id, email, password_hash) VALUES (${v7()}, ${email}, 'x')`;

  it('answers rows with their types', async () => {
    const rows = await database.client.query<{ n: number; b: Buffer; j: { a: number }; t: Date }>(
      sql`SELECT ${7}::int AS n, ${Buffer.from([1, 2])}::bytea AS b, '{"a":1}'::jsonb AS j, now() AS t`,
    );
    expect(rows).toEqual([{ n: 7, b: Buffer.from([1, 2]), j: { a: 1 }, t: expect.any(Date) }]);
  });

  it('rolls a failed transaction back and keeps the connection usable', async () => {
    await expect(
      database.client.transaction(async (tx) => {
        await tx.query(insertUser('a@example.org'));
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    expect(await countRows(database.client, 'users')).toBe(0);
  });

  it('names the violated constraint', async () => {
    await database.client.query(insertUser('b@example.org'));
    const error: unknown = await database.client.query(insertUser('b@example.org')).catch((e: unknown) => e);
    expect(isUniqueViolation(error, 'users_email_key')).toBe(true);
    expect(isUniqueViolation(error, 'other')).toBe(false);
  });

  it('ends a statement at its deadline as a timeout and goes on afterwards', async () => {
    // 3 x 10^9 rows: no machine counts them in 5 s.
    const endless = sql`SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 30000) b`;
    await expect(database.client.query(endless)).rejects.toMatchObject({ code: 'timeout' });
    expect(await countRows(database.client, 'users')).toBe(1);
  }, 30_000);

  it('runs 100 parallel transactions', async () => {
    await Promise.all(
      Array.from({ length: 100 }, (_, n) => database.client.transaction((tx) => tx.query(insertUser(`p${n}@example.org`)))),
    );
    expect(await countRows(database.client, 'users')).toBe(101);
  });
});

describeDatabases('Migrations', (kind) => {
  it('run once when two processes start together, and again change nothing', async () => {
    const place = await newDatabase(kind, true);
    try {
      const open = () =>
        openSource({ directory: place.directory, database: { url: place.url, poolSize: 1, poolOverflow: 1, migrate: 'auto' } });
      const opened = kind === 'postgres' ? await Promise.all([open(), open()]) : [await open()];
      for (const { source, embedded } of opened) await new PostgresClient(source, embedded).onApplicationShutdown();
      const again = await open();
      const client = new PostgresClient(again.source, again.embedded);
      const files = readdirSync(join(__dirname, '..', '..', 'libs', 'backing', 'postgres', 'migrations')).filter((file) =>
        /^\d+-/.test(file),
      );
      expect(await countRows(client, 'migrations')).toBe(files.length);
      await client.onApplicationShutdown();
    } finally {
      await place.drop();
    }
  });

  it('MIGRATE=off refuses a database that lacks a migration', async () => {
    const place = await newDatabase(kind, true);
    try {
      const opening = openSource({
        directory: place.directory,
        database: { url: place.url, poolSize: 1, poolOverflow: 1, migrate: 'off' },
      });
      await expect(opening).rejects.toThrow('MIGRATE=off');
    } finally {
      await place.drop();
    }
  });

  it('use nothing newer than PostgreSQL 16: every table has a workspace and an owner where rows belong to somebody', async () => {
    const database = await openDatabase(kind);
    try {
      for (const table of ['documents', 'collections', 'points', 'jobs', 'chat_sessions', 'chat_messages', 'api_keys']) {
        const columns = await database.client.query<{ name: string }>(
          sql`SELECT column_name AS name FROM information_schema.columns WHERE table_name = ${raw(`'${table}'`)} AND column_name IN ('workspace_id', 'owner_id')`,
        );
        expect(columns.map((c) => c.name).sort()).toEqual(['owner_id', 'workspace_id']);
      }
    } finally {
      await database.close();
    }
  });
});
