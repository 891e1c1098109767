import { PostgresListener, sql } from '@backing/postgres';
import { openDatabase, type TestDatabase } from '../support/databases';
import { until } from '../support/until';

/** Where the server must be there its absence fails the suite; elsewhere the skip says what it waits for. */
const needed = process.env.TEST_DATABASE_URL !== undefined || process.env.REQUIRE_SERVICES === '1';
const title = 'PostgresListener (PostgreSQL 16)';

(needed ? describe : describe.skip)(needed ? title : `${title}: TEST_DATABASE_URL is not set`, () => {
  let database: TestDatabase;
  const open: PostgresListener[] = [];
  beforeAll(async () => {
    database = await openDatabase('postgres');
  });
  afterEach(async () => {
    for (const listener of open.splice(0)) await listener.onApplicationShutdown();
  });
  afterAll(() => database.close());

  const process = (): { listener: PostgresListener; heard: string[]; resumptions: () => number } => {
    const listener = new PostgresListener(database.url, database.client);
    open.push(listener);
    const heard: string[] = [];
    let resumptions = 0;
    listener.listen('test_words', { hear: (word) => heard.push(word), resumed: () => (resumptions += 1) });
    return { listener, heard, resumptions: () => resumptions };
  };

  it('tells every process a word once, however often it was said in a moment', async () => {
    const [first, second] = [process(), process()];
    await until(() => first.resumptions() === 1 && second.resumptions() === 1);
    for (let n = 0; n < 100; n += 1) first.listener.notify('test_words', 'again');
    first.listener.notify('test_words', "it's");
    await until(() => second.heard.length === 2 && first.heard.length === 2);
    expect(second.heard).toEqual(['again', "it's"]);
    first.listener.notify('test_other', 'not for you');
    first.listener.notify('test_words', 'last');
    await until(() => second.heard.includes('last'));
    expect(second.heard).toHaveLength(3);
  });

  it('comes back after its connection was killed, and says that words may have been missed', async () => {
    const one = process();
    await until(() => one.resumptions() === 1);
    await database.client.query(
      sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sutazai listener'`,
    );
    await until(() => one.resumptions() === 2);
    one.listener.notify('test_words', 'there');
    await until(() => one.heard.includes('there'));
  });

  it('sends what was said last before it ends', async () => {
    const [leaving, staying] = [process(), process()];
    await until(() => staying.resumptions() === 1);
    leaving.listener.notify('test_words', 'goodbye');
    await leaving.listener.onApplicationShutdown();
    await until(() => staying.heard.includes('goodbye'));
  });

  it('does nothing without a server', async () => {
    const listener = new PostgresListener(undefined, database.client);
    listener.listen('test_words', { hear: () => undefined, resumed: () => undefined });
    listener.notify('test_words', 'nobody');
    await listener.onApplicationShutdown();
    expect(() => listener.listen('no such; channel', { hear: () => undefined, resumed: () => undefined })).toThrow(/cannot name a channel/);
  });
});
