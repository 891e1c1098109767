// Two APIs and two workers on real PostgreSQL, Redis and RabbitMQ, with the model that writes long answers.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '../../../scripts/client.mjs';
import { SERVICES, startService } from '../../../scripts/services/table.mjs';
import { ServerProcess, repository } from '../../support/server.mjs';

const NAMES = ['postgres', 'redis', 'rabbitmq'];
const SCOPES = ['chat', 'jobs:read', 'jobs:write'];

/** Milliseconds that a process may take to stop. */
export const STOPPED_MS = 30_000;

/** SIGTERM; { app, code, signal, milliseconds }. One that does not end in time is killed. */
export async function stopOne(ours) {
  const late = setTimeout(() => void ours.kill(), STOPPED_MS);
  const ended = await ours.stop().finally(() => clearTimeout(late));
  return { app: ours.app, ...ended };
}

export class Replicas {
  servers = {};
  apis = [];
  workers = [];

  /** `environment`: settings of the product's processes beside what the servers need. */
  static async start(environment = {}) {
    const map = new Replicas();
    map.directory = mkdtempSync(join(tmpdir(), 'sutazai-replicas-'));
    try {
      await Promise.all(NAMES.map(async (name) => (map.servers[name] = await startService(name))));
      await map.#startOurs(environment);
      return map;
    } catch (error) {
      await map.stop();
      throw error;
    }
  }

  get database() {
    return this.servers.postgres.url;
  }

  /** An API key of the first account, which any of the APIs takes. */
  async key() {
    const client = new Client(this.apis[0].url);
    await client.register('streams@example.org', 'a long enough password', this.setupToken);
    return (await client.json('POST', '/api/v1/auth/keys', { name: 'streams', scopes: SCOPES })).secret;
  }

  /** The last words of each process, for whoever looks for the cause of a failure. */
  get words() {
    return [...this.apis, ...this.workers].map(({ app, log }) => `${app}: ${log.slice(-2_000)}`).join('\n');
  }

  /** How each ended. */
  stopOurs() {
    return Promise.all([...this.workers, ...this.apis].filter(({ running }) => running).map(stopOne));
  }

  async stop() {
    await this.stopOurs();
    await Promise.allSettled(Object.values(this.servers).map((server) => server.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #startOurs(environment) {
    this.setupToken = randomBytes(24).toString('base64url');
    const settings = Object.assign(
      {
        RATE_LIMIT_PER_MINUTE: '1000000',
        LOG_LEVEL: 'warn',
        CHAT_MODEL: 'scripted',
        JWT_SECRET: randomBytes(48).toString('base64url'),
        SETUP_TOKEN: this.setupToken,
      },
      environment,
      ...Object.entries(this.servers).map(([name, server]) => SERVICES[name].settings(server)),
    );
    const nodeFlags = ['--require', join(repository, 'test', 'faults', 'streams', 'long-model.cjs')];
    const make = (app, n) => new ServerProcess({ environment: settings, nodeFlags, app, directory: join(this.directory, `${app}-${n}`) });
    this.apis = [make('api', 1), make('api', 2)];
    this.workers = [make('worker', 1), make('worker', 2)];
    // One after the other: the first one makes the tables.
    for (const ours of [...this.apis, ...this.workers]) await ours.start();
  }
}
