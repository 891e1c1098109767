// Two API processes on one PostgreSQL: what is asked of the first is cancelled through the second.
import { createRequire } from 'node:module';
import { Client } from '../../../scripts/client.mjs';
import { startPostgres } from '../../../scripts/services/postgres.mjs';
import { ServerProcess } from '../../support/server.mjs';

const PERSON = ['cancel@example.org', 'a long enough password'];
/** Access tokens live for a quarter of an hour, and a bench may go on for longer. */
const LOGIN_MS = 600_000;

const pg = createRequire(import.meta.url)('pg');
// Both read the same originals, whichever of them takes a job.
const SETTINGS = {
  BLOB_URL: 'postgres:',
  RATE_LIMIT_PER_MINUTE: '10000000',
  LOG_LEVEL: 'warn',
  JWT_SECRET: 'a secret of two processes, 32 bytes and more',
  EGRESS_ALLOW: '127.0.0.1',
  MODEL_ALLOW: 'tiny:*',
};

export class Stage {
  static async open(environment, nodeFlags = []) {
    const stage = new Stage();
    stage.postgres = await startPostgres();
    const settings = { ...SETTINGS, DATABASE_URL: stage.postgres.url, ...environment };
    stage.works = new ServerProcess({ environment: settings, nodeFlags });
    stage.asks = new ServerProcess({ environment: settings });
    await stage.works.start();
    await stage.asks.start();
    stage.client = new Client(stage.works.url);
    await stage.client.register(...PERSON);
    stage.other = new Client(stage.asks.url, stage.client.token);
    stage.logins = setInterval(() => void stage.renew(), LOGIN_MS).unref();
    stage.database = new pg.Client({ connectionString: stage.postgres.url });
    await stage.database.connect();
    return stage;
  }

  async renew() {
    await this.client.login(...PERSON);
    this.other.token = this.client.token;
  }

  async close() {
    clearInterval(this.logins);
    await this.database?.end();
    for (const process of [this.asks, this.works]) {
      if (process?.running) await process.stop();
      process?.remove();
    }
    await this.postgres.stop();
  }

  /** A conversation, and the job that answers a question in it; whom it is asked of takes it first. */
  async ask(content, session = {}, message = {}, client = this.client) {
    const { id } = await client.json('POST', '/api/v1/chat/sessions', session);
    const { job } = await client.json('POST', `/api/v1/chat/sessions/${id}/messages`, { content, ...message });
    return { jobId: job.id, sessionId: id };
  }

  /** Through the other process; answers the moment at which it was asked for. */
  async cancel(jobId) {
    const askedAt = performance.now();
    const { status } = await this.other.json('POST', `/api/v1/jobs/${jobId}/cancel`);
    if (status !== 'cancelled') throw new Error(`a cancelled job is ${status}`);
    return askedAt;
  }

  /** Jobs that wrote something after they were cancelled, or still run. */
  async broken() {
    const { rows } = await this.database.query(
      `SELECT j.id, j.kind FROM jobs j JOIN job_events e ON e.job_id = j.id AND e.event = 'cancelled'
       WHERE e.seq < j.last_seq OR j.status <> 'cancelled' OR EXISTS (SELECT FROM job_events l WHERE l.job_id = j.id AND l.seq > e.seq)`,
    );
    return rows;
  }

  async tokensUsed() {
    const { rows } = await this.database.query('SELECT coalesce(sum(input_tokens + output_tokens), 0)::int AS tokens FROM usage');
    return rows[0].tokens;
  }
}
