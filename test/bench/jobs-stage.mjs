// The jobs of the built product on a real PostgreSQL and RabbitMQ, without its other features: one process that accepts and publishes, one that works.
import { mkdtempSync, rmSync, openSync, writeSync, fdatasyncSync, closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../../scripts/services.mjs';
import { startRabbitmq } from '../../scripts/services/rabbitmq.mjs';
import { repository } from '../support/server.mjs';

const require = createRequire(import.meta.url);
const load = (path) => require(join(repository, 'dist', path));
const { Global, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { z } = require('zod');
const { Client } = require('pg');
const { v7 } = require('uuid');
const { DataDirectory } = load('libs/backing/data-directory');
const { MemoryFanout } = load('libs/backing/memory');
const { openSource, PostgresClient, PostgresListener, sql } = load('libs/backing/postgres');
const { RabbitmqClient, RabbitmqTransport, queueOf } = load('libs/backing/rabbitmq');
const { JobHandler, JobLeaseRepository, Jobs, JobsModule, OutboxRelay } = load('libs/features/jobs');
const { AppConfig } = load('libs/kernel/config');
const { Fanout } = load('libs/kernel/fanout');
const { defineJob, JobTransport } = load('libs/kernel/jobs');
const { JobsConsumer } = load('apps/worker/src/jobs.consumer');

export { JobLeaseRepository, Jobs, OutboxRelay, queueOf, sql, v7 };

export const work = defineJob('bench.work', z.strictObject({ name: z.string() }), { needs: 'chat' });

/** Says when a job began, and does nothing. */
class Worker extends JobHandler {
  contract = work;
  begun = new Map();

  async run({ jobId }) {
    this.begun.get(jobId)?.(performance.now());
    return {};
  }

  async settle() {
    return {};
  }

  async retry() {
    throw new Error('Nothing is retried here.');
  }
}

/** What the API does with the transport: it publishes and takes nothing. */
class Publishing extends RabbitmqTransport {
  listen(callback) {
    callback();
  }
}

/** Milliseconds of the middle one of 200 small writes to the disk. */
export function fdatasyncMedian() {
  const directory = mkdtempSync(join(tmpdir(), 'sutazai-fdatasync-'));
  const file = openSync(join(directory, 'file'), 'w');
  const times = Array.from({ length: 200 }, () => {
    writeSync(file, Buffer.alloc(4_096, 1));
    const started = performance.now();
    fdatasyncSync(file);
    return performance.now() - started;
  });
  closeSync(file);
  rmSync(directory, { recursive: true });
  return quantile(times, 0.5);
}

export function quantile(values, share) {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
}

export class Stage {
  workspaceId = v7();
  ownerId = v7();
  worker = new Worker();
  apps = [];

  static async open() {
    const stage = new Stage();
    [stage.postgres, stage.rabbitmq] = await Promise.all([startPostgres(), startRabbitmq()]);
    const { source } = await openSource({
      directory: '/nowhere',
      database: { url: stage.postgres.url, poolSize: 10, poolOverflow: 20, migrate: 'auto' },
    });
    stage.client = new PostgresClient(source);
    await stage.account(stage.workspaceId, stage.ownerId);
    return stage;
  }

  async account(workspaceId, userId) {
    const { client } = this;
    await client.query(sql`INSERT INTO users (id, email, password_hash) VALUES (${userId}, ${`${userId}@example.org`}, 'x')`);
    await client.query(sql`INSERT INTO workspaces (id, name, owner_id) VALUES (${workspaceId}, 'w', ${userId})`);
    await client.query(sql`INSERT INTO memberships (workspace_id, user_id, role) VALUES (${workspaceId}, ${userId}, 'owner')`);
  }

  /** A statement that prepares or clears the table, and may take long. */
  async prepare({ text, values }) {
    const client = new Client({ connectionString: this.postgres.url });
    await client.connect();
    await client.query({ text, values });
    await client.end();
  }

  accepting() {
    return this.start(Publishing);
  }

  working() {
    return this.start(RabbitmqTransport);
  }

  async endProcesses() {
    for (const app of this.apps.splice(0)) await app.close();
  }

  async close() {
    await this.endProcesses();
    await this.client.onApplicationShutdown();
    await Promise.all([this.postgres.stop(), this.rabbitmq.stop()]);
  }

  async start(Transport) {
    const { client, postgres } = this;
    const rabbitmq = new RabbitmqClient(this.rabbitmq.url);
    const transport = new Transport(rabbitmq, { [work.kind]: 4 });
    const ground = [
      { provide: JobTransport, useValue: transport },
      { provide: Fanout, useClass: MemoryFanout },
      { provide: AppConfig, useValue: { retention: { jobsDays: 30, eventsDays: 7 } } },
      { provide: DataDirectory, useValue: { instanceId: v7() } },
      // One client for all of them, which none of them closes.
      { provide: PostgresClient, useValue: Object.create(client, { onApplicationShutdown: { value: undefined } }) },
      { provide: PostgresListener, useFactory: () => new PostgresListener(postgres.url, client) },
    ];
    const own = [
      { provide: RabbitmqClient, useValue: rabbitmq },
      { provide: Worker, useValue: this.worker },
    ];
    class Ground {}
    Global()(Ground);
    Module({ providers: [...ground, ...own], exports: ground.map(({ provide }) => provide) })(Ground);
    class Root {}
    Module({ imports: [Ground, JobsModule], controllers: [JobsConsumer] })(Root);
    const app = await NestFactory.createMicroservice(Root, { strategy: transport, logger: false, abortOnError: false });
    await app.listen();
    while (!transport.ready) await new Promise((resolve) => setTimeout(resolve, 20));
    this.apps.push(app);
    return app;
  }
}
