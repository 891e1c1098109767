import { PostgresClient, RequestTransaction, sql } from '@backing/postgres';
import { v7 } from 'uuid';
import { countRows, describeDatabases, openDatabase, type TestDatabase } from '../support/databases';
import { until } from '../support/until';

describeDatabases('the transaction of a request', (kind) => {
  let database: TestDatabase;
  let client: PostgresClient;
  beforeAll(async () => {
    database = await openDatabase(kind);
    client = database.client;
  });
  afterAll(() => database.close());

  let number = 0;
  const newEmail = (): string => `person-${(number += 1)}@example.org`;
  const insert = (email = newEmail()) => sql`INSERT INTO users (id, email, password_hash) VALUES (${v7()}, ${email}, 'x')`;
  const people = async (connection: Pick<PostgresClient, 'query'> = client): Promise<number> =>
    (await connection.query<{ n: number }>(sql`SELECT count(*)::int AS n FROM users`))[0]?.n ?? 0;
  const opened = (admit: () => Promise<void> = async () => undefined) => client.requestTransaction(admit);

  it('begins with the first write, is seen by what follows, and ends as a whole', async () => {
    const before = await people();
    const transaction = opened();
    await client.within(transaction, async () => {
      expect(await people()).toBe(before);
      expect(transaction.open).toBe(false);
      await client.query(insert());
      await client.transaction((connection) => connection.query(insert()));
      expect([transaction.open, await people()]).toEqual([true, before + 2]);
    });
    await transaction.rollBack();
    expect(await people()).toBe(before);
    await client.within(transaction, () => client.query(insert()));
    await transaction.commit();
    expect(await people()).toBe(before + 1);
    // Over: what comes later stands for itself.
    await client.within(transaction, () => client.query(insert()));
    expect(await people()).toBe(before + 2);
  });

  it('keeps what was written before a write that fails, and is not open when the first one fails', async () => {
    const email = newEmail();
    const before = await people();
    const transaction = opened();
    await client.within(transaction, async () => {
      await client.query(insert(email));
      await expect(client.query(insert(email))).rejects.toMatchObject({ code: '23505' });
      await expect(client.transaction((connection) => connection.query(insert(email)))).rejects.toMatchObject({ code: '23505' });
      await client.query(insert());
    });
    await transaction.commit();
    expect(await people()).toBe(before + 2);
    const second = opened();
    await client.within(second, () => expect(client.query(insert(email))).rejects.toMatchObject({ code: '23505' }));
    expect(second.open).toBe(false);
    await second.commit();
  });

  it('takes writes that come side by side one after the other', async () => {
    const taken = newEmail();
    await client.query(insert(taken));
    const before = await people();
    const transaction = opened();
    const results = await client.within(transaction, () =>
      Promise.allSettled(Array.from({ length: 20 }, (_, n) => client.query(insert(n % 2 === 0 ? taken : newEmail())))),
    );
    await transaction.commit();
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(await people()).toBe(before + 10);
  });

  it('does not begin when it is not admitted, nor for what is done beforehand', async () => {
    const before = await people();
    const refused = opened(() => Promise.reject(new Error('not now')));
    await client.within(refused, async () => {
      await client.beforehand(() => client.query(insert()));
      expect(refused.open).toBe(false);
      await expect(client.query(insert())).rejects.toThrow('not now');
      await expect(client.transaction((connection) => connection.query(insert()))).rejects.toThrow('not now');
    });
    await refused.commit();
    expect(await people()).toBe(before + 1);
  });

  it('lets what waits for the commit run after it, and not after a rollback', async () => {
    const heard: string[] = [];
    const transaction = opened();
    await client.within(transaction, async () => {
      expect(client.afterCommit(() => 'at once')).toBe('at once');
      await client.query(insert());
      client.afterCommit(() => heard.push('rolled back'));
      await transaction.rollBack();
      await client.query(insert());
      client.afterCommit(async () => heard.push(`${await people()} people`));
      client.afterCommit(() => Promise.reject(new Error('nobody is hurt')));
      expect(heard).toEqual([]);
    });
    await transaction.commit();
    const all = await people();
    expect(heard).toEqual([`${all} people`]);
    expect(client.afterCommit(() => 1)).toBe(1);
  });

  it('ends by itself when it is kept open for too long, and writes nothing more', async () => {
    const before = await people();
    const own = (work: Parameters<PostgresClient['transaction']>[0]) => client.transaction(work) as Promise<void>;
    const transaction = new RequestTransaction(own, async () => undefined, 50);
    await transaction.unit((connection) => connection.query(insert()));
    // With one connection this waits for its end; a server says when it is over.
    const open = sql`SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`;
    await until(async () => (await client.query<{ n: number }>(open))[0]?.n === 0);
    await expect(transaction.unit((connection) => connection.query(insert()))).rejects.toMatchObject({ code: 'timeout' });
    await expect(transaction.commit()).rejects.toMatchObject({ code: 'timeout' });
    expect(await people()).toBe(before);
  });

  it('leaves no connection behind', async () => {
    for (let n = 0; n < 30; n += 1) {
      const transaction = opened();
      await client.within(transaction, () => client.query(insert()));
      await (n % 2 === 0 ? transaction.commit() : transaction.rollBack());
    }
    expect(client.pool).toMatchObject({ waiting: 0 });
    expect(client.pool.idle).toBe(client.pool.open);
    expect(await countRows(client, 'users')).toBeGreaterThan(15);
  });
});
