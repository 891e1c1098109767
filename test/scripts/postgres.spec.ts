import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Client } from 'pg';
import { loadScript } from './load-script';

interface Postgres {
  url: string;
  pid: number;
  port: number;
  directory: string;
  stop(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
}
interface Services {
  startPostgres(options?: { port?: number }): Promise<Postgres>;
}

const required = process.env.REQUIRE_SERVICES === '1' || process.env.TEST_DATABASE_URL !== undefined;
const title = 'the PostgreSQL of the tests';

(required ? describe : describe.skip)(required ? title : `${title}: neither TEST_DATABASE_URL nor REQUIRE_SERVICES is set`, () => {
  let services: Services;
  let server: Postgres;

  beforeAll(async () => {
    services = await loadScript<Services>('services.mjs');
    server = await services.startPostgres();
  });

  afterAll(() => server.stop());

  const query = async (sql: string): Promise<unknown[]> => {
    const client = new Client({ connectionString: server.url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };

  it('is version 16 with pgvector, durable, and knows letters beyond ASCII', async () => {
    await query('create extension vector');
    const sql = "select current_setting('server_version') as version, current_setting('fsync') as fsync, lower('Ä') as lower";
    expect(await query(sql)).toEqual([{ version: '16.14', fsync: 'on', lower: 'ä' }]);
    expect(await query("select '[1,2]'::vector <=> '[2,4]'::vector as distance")).toEqual([{ distance: 0 }]);
  });

  it('keeps what was committed through kill -9, and refuses connections meanwhile', async () => {
    await query('create table kept as select 7 as seven');
    const before = server.pid;
    await server.kill();
    await expect(knock(server.port)).rejects.toThrow('ECONNREFUSED');
    expect(() => process.kill(before, 0)).toThrow('ESRCH');
    await server.restart();
    expect(server.pid).not.toBe(before);
    expect(await query('select * from kept')).toEqual([{ seven: 7 }]);
  });

  it('takes another port when one is busy, and leaves nothing behind', async () => {
    const second = await services.startPostgres();
    expect(second.port).not.toBe(server.port);
    await second.stop();
    expect(existsSync(join(second.directory))).toBe(false);
    await expect(knock(second.port)).rejects.toThrow('ECONNREFUSED');
    await expect(services.startPostgres({ port: server.port })).rejects.toThrow(`no free port from ${server.port}`);
  });
});

function knock(port: number): Promise<void> {
  return new Promise((done, failed) => {
    const socket = connect(port, '127.0.0.1', () => done(void socket.destroy()));
    socket.once('error', failed);
  });
}
