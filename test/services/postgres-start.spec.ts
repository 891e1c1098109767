import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSource } from '@backing/postgres';
import { Client } from 'pg';
import { startServerOf, type TestServer } from '../support/services';

const ROOT = join(__dirname, '..', '..');
const PRELOAD = join(ROOT, 'test', 'support', 'package-list.cjs');
const MAIN = join(ROOT, 'dist', 'apps', 'api', 'src', 'main.js');

/** What only a process needs whose settings name its service. */
const UNUSED = [
  'ioredis',
  'amqplib',
  'amqp-connection-manager',
  'neo4j-driver',
  'chromadb',
  '@qdrant/js-client-rest',
  'consul',
  'faiss-node',
  'node-llama-cpp',
  '@electric-sql/pglite',
  'mammoth',
  'linkedom',
  'unpdf',
];

describe('A DATABASE_URL', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServerOf('postgres', 'startPostgres', { settings: { max_connections: 12 } } as object);
    const admin = new Client({ connectionString: server.url });
    await admin.connect();
    await admin.query(`CREATE ROLE guest LOGIN PASSWORD 's3cret-guest'`);
    await admin.query('CREATE DATABASE bare');
    await admin.end();
  }, 120_000);
  afterAll(() => server?.stop());

  /** The server's URL with some parts changed. */
  const urlWith = (parts: Partial<Pick<URL, 'username' | 'password' | 'pathname' | 'port'>>): string =>
    Object.assign(new URL(server.url), parts).href;
  const open = (url: string, pool = { poolSize: 2, poolOverflow: 2 }) =>
    openSource({ directory: '/nowhere', database: { url, migrate: 'off', ...pool } });

  it('with another password is said without either', async () => {
    const url = urlWith({ password: 's3cret-wrong' });
    await expect(open(url)).rejects.toMatchObject({
      code: 'unavailable',
      message: `DATABASE_URL: the server at 127.0.0.1:${server.port} refuses the user "app" with this password.`,
    });
  });

  it('ends the process with one sentence', () => {
    const directory = mkdtempSync(join(tmpdir(), 'sutazai-test-'));
    const env = { PATH: process.env.PATH, PORT: '0', DATA_DIR: directory, DATABASE_URL: urlWith({ password: 's3cret-wrong' }) };
    const { status, stderr, stdout } = spawnSync(process.execPath, [MAIN], { env, encoding: 'utf8', timeout: 60_000 });
    rmSync(directory, { recursive: true, force: true });
    expect(status).toBe(69);
    expect(stderr.trim().split('\n')).toEqual([
      `DATABASE_URL: the server at 127.0.0.1:${server.port} refuses the user "app" with this password.`,
    ]);
    expect(stdout + stderr).not.toContain('s3cret');
  }, 90_000);

  it('that is right starts a process which loads no driver of a service that is not set', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sutazai-test-'));
    const list = join(directory, 'packages');
    const pool = { DATABASE_POOL_SIZE: '2', DATABASE_POOL_OVERFLOW: '2' };
    const own = { PORT: '0', METRICS_PORT: '0', DATA_DIR: join(directory, 'data'), MODELS_DIR: directory, LOADED_PACKAGES: list };
    const child = spawn(process.execPath, ['--require', PRELOAD, MAIN], {
      env: { PATH: process.env.PATH, DATABASE_URL: server.url, ...pool, ...own },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()).includes('is ready at') && resolve());
      child.once('exit', (code) => reject(new Error(`It ended with ${code}.`)));
    });
    child.kill('SIGKILL');
    await ended;
    const loaded = readFileSync(list, 'utf8').trim().split('\n');
    rmSync(directory, { recursive: true, force: true });
    expect(loaded).toEqual(expect.arrayContaining(['pg', 'typeorm', '@nestjs/core']));
    expect(loaded.filter((name) => UNUSED.includes(name))).toEqual([]);
  }, 90_000);

  it('of a database that is not there', async () => {
    await expect(open(urlWith({ pathname: '/absent' }))).rejects.toThrow(
      `DATABASE_URL: the server at 127.0.0.1:${server.port} has no database "absent".`,
    );
  });

  it('where nobody listens', async () => {
    const silent = createServer();
    const port = await portOf(silent);
    await new Promise((resolve) => silent.close(resolve));
    await expect(open(urlWith({ port: String(port) }))).rejects.toThrow(
      `DATABASE_URL: no PostgreSQL answers at 127.0.0.1:${port} (ECONNREFUSED).`,
    );
  });

  it('of a server with too few connections for the pool', async () => {
    await expect(open(server.url, { poolSize: 10, poolOverflow: 20 })).rejects.toThrow(
      `DATABASE_URL: the server at 127.0.0.1:${server.port} has 9 connections for users (max_connections), and DATABASE_POOL_SIZE + DATABASE_POOL_OVERFLOW are 30.`,
    );
  });

  it('of somebody who may not create the extension', async () => {
    const url = urlWith({ username: 'guest', password: 's3cret-guest', pathname: '/bare' });
    await expect(open(url)).rejects.toThrow(
      'DATABASE_URL: the extension "vector" is not in the database "bare", and the user "guest" may not create it there.',
    );
  });

  it('of an older server, whose version is the only thing that is another one here', async () => {
    await rewritten(
      { answer: (text) => text.replace(/160(\d\d\d)/g, '150$1') },
      /^DATABASE_URL: the server at 127\.0\.0\.1:\d+ is PostgreSQL 16\.\d+, and this release needs 16 or newer\.$/,
    );
  });

  it('of a server without the extension, which is asked for one that it really lacks', async () => {
    await rewritten(
      { question: (text) => text.replaceAll("= 'vector'", "= 'vectoX'") },
      /^DATABASE_URL: the server at 127\.0\.0\.1:\d+ lacks the extension "vector" \(pgvector\): install it there first\.$/,
    );
  });

  /** Opens the server by way of a proxy that changes what is said, byte for byte. */
  async function rewritten(change: { question?: (text: string) => string; answer?: (text: string) => string }, sentence: RegExp) {
    const through = (bytes: Buffer, by?: (text: string) => string): Buffer =>
      by === undefined ? bytes : Buffer.from(by(bytes.toString('latin1')), 'latin1');
    const proxy = createServer((client) => {
      const real = connect(server.port, '127.0.0.1');
      client.on('data', (bytes) => real.write(through(bytes, change.question)));
      real.on('data', (bytes) => client.write(through(bytes, change.answer)));
      for (const [socket, other] of [
        [client, real],
        [real, client],
      ] as const)
        socket.on('close', () => other.destroy()).on('error', () => other.destroy());
    });
    const port = await portOf(proxy);
    try {
      await expect(open(urlWith({ port: String(port) }))).rejects.toThrow(sentence);
    } finally {
      await new Promise((resolve) => proxy.close(resolve));
    }
  }
});

function portOf(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}
