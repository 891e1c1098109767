import { execFileSync } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { loadScript } from '../scripts/load-script';
import { startServerOf, type TestServer } from '../support/services';

/** The files below deploy/ that configure servers, read by the real servers: the containers mount the same ones. */
const ROOT = join(__dirname, '..', '..');
const DEPLOY = join(ROOT, 'deploy');

interface Place {
  directory: string;
  port: number;
}
interface Process {
  start(): Promise<number>;
  stop(): Promise<unknown>;
  remove(): void;
}
interface Description {
  name: string;
  command(place: Place): { program: string; args: string[] };
  ready(place: Place): Promise<boolean>;
}
let startServer: (description: Description) => Promise<TestServer>;
let freePort: () => Promise<number>;
const folder = mkdtempSync(join(tmpdir(), 'sutazai-deploy-'));
const secret = (name: string): string => readFileSync(join(folder, 'secrets', name), 'utf8');

beforeAll(async () => {
  ({ startServer, freePort } = await loadScript<{ startServer: typeof startServer; freePort: typeof freePort }>('services/server.mjs'));
  execFileSync('sh', [join(DEPLOY, 'make-secrets.sh'), join(folder, 'secrets')]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('deploy/redis', () => {
  let server: TestServer;
  const client = (options: object): Redis =>
    new Redis({ host: '127.0.0.1', port: server.port, lazyConnect: true, retryStrategy: () => null, ...options });

  beforeAll(async () => {
    const { ensureRedis } = await loadScript<{ ensureRedis(): Promise<string> }>('services/redis.mjs');
    const program = await ensureRedis();
    server = await startServer({
      name: 'Redis',
      command: ({ directory, port }) => ({
        program,
        args: [
          join(DEPLOY, 'redis', 'redis.conf'),
          '--port',
          String(port),
          '--bind',
          '127.0.0.1',
          '--dir',
          directory,
          '--aclfile',
          join(folder, 'secrets', 'redis-users.acl'),
        ],
      }),
      ready: async ({ port }) => {
        const probe = new Redis({
          host: '127.0.0.1',
          port,
          lazyConnect: true,
          retryStrategy: () => null,
          username: 'app',
          password: secret('redis-password'),
        });
        probe.on('error', () => undefined);
        try {
          return (await probe.connect().then(() => probe.ping())) === 'PONG';
        } finally {
          probe.disconnect();
        }
      },
    });
  });
  afterAll(() => server.stop());

  it('lets the platform in by its secret, to its own keys and channels, and to nothing dangerous', async () => {
    const app = client({ username: 'app', password: secret('redis-password') });
    await app.connect();
    expect(await app.set('app:a', '1')).toBe('OK');
    expect(await app.publish('app:a', '1')).toBe(0);
    await expect(app.set('other', '1')).rejects.toThrow(/NOPERM/);
    await expect(app.publish('other', '1')).rejects.toThrow(/NOPERM/);
    await expect(app.flushall()).rejects.toThrow(/NOPERM/);
    expect(await app.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'volatile-ttl']);
    app.disconnect();
  });

  it('lets nobody else in', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write('GET app:a\r\n');
    const [said] = (await once(socket, 'data')) as [Buffer];
    expect(said.toString()).toMatch(/^-NOAUTH /);
    socket.destroy();
  });
});

describe('deploy/consul', () => {
  let server: TestServer;
  let dns: Resolver;
  const call = async (path: string, body?: object): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/v1/agent/${path}`, { method: 'PUT', body: body && JSON.stringify(body) });
    expect(answer.status).toBe(200);
  };
  /** As the API enters itself (libs/backing/consul), under the name that the gateway asks for. */
  const enter = (id: number): Promise<void> =>
    call('service/register', {
      ID: `api-${id}`,
      Name: 'sutazai-api',
      Address: `127.0.0.${id}`,
      Port: 10_200,
      Check: { TTL: '60s', Status: 'passing' },
    });
  const target = /target: (\S+):10200/.exec(readFileSync(join(DEPLOY, 'kong', 'kong.yml'), 'utf8'))?.[1] ?? '';
  const addresses = (): Promise<string[]> =>
    dns.resolve4(target).then(
      (found) => found.sort(),
      () => [],
    );
  /** Milliseconds until the gateway is told of these alone; the time limit of the test ends it else. */
  const until = async (wanted: string[]): Promise<number> => {
    const begun = performance.now();
    while (`${await addresses()}` !== `${wanted}`);
    return performance.now() - begun;
  };

  beforeAll(async () => {
    const { ensureConsul } = await loadScript<{ ensureConsul(): Promise<string> }>('services/consul.mjs');
    const program = await ensureConsul();
    const [dnsPort, rpc, serf] = [await freePort(), await freePort(), await freePort()];
    dns = new Resolver();
    dns.setServers([`127.0.0.1:${dnsPort}`]);
    server = await startServer({
      name: 'Consul',
      command: ({ directory, port }) => {
        const own = join(folder, 'own.hcl');
        // Where it listens is the container's affair; the rest is as it is there.
        writeFileSync(
          own,
          `bind_addr = "127.0.0.1"\nclient_addr = "127.0.0.1"\nrecursors = []\nports { http = ${port}, dns = ${dnsPort}, server = ${rpc}, serf_lan = ${serf}, serf_wan = -1 }\n`,
        );
        return {
          program,
          args: ['agent', '-config-dir', join(DEPLOY, 'consul'), '-config-file', own, '-data-dir', join(directory, 'data')],
        };
      },
      ready: async ({ port }) => /\d/.test(await (await fetch(`http://127.0.0.1:${port}/v1/status/leader`)).text()),
    });
  }, 900_000);
  afterAll(() => server.stop());

  it('names the address and the port of every API to the gateway, for a second', async () => {
    await enter(1);
    await enter(2);
    await until(['127.0.0.1', '127.0.0.2']);
    expect((await dns.resolve4(target, { ttl: true })).map(({ ttl }) => ttl)).toEqual([1, 1]);
    expect((await dns.resolveSrv(target)).map(({ port }) => port)).toEqual([10_200, 10_200]);
  });

  it('names one that leaves or is not well no more, at once', async () => {
    await call('service/deregister/api-2');
    expect(await until(['127.0.0.1'])).toBeLessThan(1_000);
    await call('check/warn/service:api-1');
    expect(await until([])).toBeLessThan(1_000);
    await call('check/pass/service:api-1');
    expect(await until(['127.0.0.1'])).toBeLessThan(1_000);
  });
});

describe('deploy/postgres', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServerOf('postgres', 'startPostgres');
  });
  afterAll(() => server.stop());

  it('gives the platform a role that owns its database and no more, with which it starts', async () => {
    const admin = new Client(server.url);
    await admin.connect();
    await admin.query('CREATE DATABASE sutazai');
    await admin.end();
    const at = (user?: string): string => {
      const url = new URL(server.url);
      if (user !== undefined) [url.username, url.password] = [user, secret('database-password')];
      url.pathname = '/sutazai';
      return url.href;
    };
    // What psql fills in; the superuser of this server has the name that the role has there.
    const sql = /<<'SQL'\n([\s\S]*)\nSQL\n/.exec(readFileSync(join(DEPLOY, 'postgres', 'app-role.sh'), 'utf8'))?.[1] ?? '';
    const filled = sql
      .replace(":'password'", `'${secret('database-password')}'`)
      .replace(':"database"', '"sutazai"')
      .replaceAll(/\bapp\b/g, 'platform');
    const owner = new Client(at());
    await owner.connect();
    await owner.query(filled);
    await owner.end();
    type Kit = { ServerProcess: new (options: { environment: Record<string, string> }) => Process };
    const { ServerProcess } = await loadScript<Kit>('../test/support/server.mjs');
    const api = new ServerProcess({ environment: { DATABASE_URL: at('platform') } });
    await api.start();
    const role = new Client(at('platform'));
    await role.connect();
    const { rows } = await role.query(
      "SELECT rolsuper, rolcreatedb, rolcreaterole, (SELECT count(*) > 30 FROM pg_tables WHERE tableowner = 'platform') AS tables FROM pg_roles WHERE rolname = current_user",
    );
    expect(rows).toEqual([{ rolsuper: false, rolcreatedb: false, rolcreaterole: false, tables: true }]);
    await expect(role.query("COPY (SELECT 1) TO PROGRAM 'true'")).rejects.toThrow(/permission denied/);
    await expect(role.query("SELECT pg_read_file('/etc/passwd')")).rejects.toThrow(/permission denied/);
    await role.end();
    await api.stop();
    api.remove();
  });
});
