import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

interface OurProcess {
  start(): Promise<number>;
  stop(): Promise<unknown>;
  readonly log: string;
}
type OurProcessClass = new (options: { environment: Record<string, string>; directory: string; app: 'worker' }) => OurProcess;

/** The settings of the whole map, as JSON: with this variable set, suites on PostgreSQL run on all servers and with a worker of its own. */
const map = process.env.TEST_FULL_MAP;

/** What a test's API has beside it when the whole map is asked for: its settings, and a worker over its own corner of the broker. */
export class FullMap {
  private worker?: OurProcess;

  private constructor(
    readonly settings: Record<string, string>,
    private readonly broker: { management: string; authorization: string; corner: string },
  ) {}

  /** Undefined where nobody asked for it. */
  static async open(): Promise<FullMap | undefined> {
    if (map === undefined) return undefined;
    const { RABBITMQ_MANAGEMENT: management = '', ...settings } = JSON.parse(map) as Record<string, string>;
    const url = new URL(settings.RABBITMQ_URL ?? '');
    const authorization = `Basic ${Buffer.from(`${url.username}:${decodeURIComponent(url.password)}`).toString('base64')}`;
    const corner = `test-${randomUUID()}`;
    const broker = { management, authorization, corner };
    await manage(broker, 'PUT', `/api/vhosts/${corner}`);
    await manage(broker, 'PUT', `/api/permissions/${corner}/${url.username}`, { configure: '.*', write: '.*', read: '.*' });
    url.pathname = `/${corner}`;
    // Tries at the doors are counted by address for an hour: each suite begins anew.
    const redis: Record<string, string> = settings.REDIS_URL === undefined ? {} : { REDIS_URL: `${settings.REDIS_URL}?prefix=${corner}` };
    return new FullMap({ ...settings, ...redis, RABBITMQ_URL: url.href }, broker);
  }

  /** After the API has brought the database to its version. */
  async startWorker(env: Record<string, string>): Promise<void> {
    const { ServerProcess } = (await import(join(__dirname, 'server.mjs'))) as { ServerProcess: OurProcessClass };
    // Its ports and its directory are its own.
    const { PORT: _port, METRICS_PORT: _metrics, DATA_DIR: directory = '', ...environment } = env;
    this.worker = new ServerProcess({ environment, directory: join(directory, 'worker'), app: 'worker' });
    await this.worker.start();
  }

  async stopWorker(): Promise<void> {
    await this.worker?.stop();
    this.worker = undefined;
  }

  async close(): Promise<void> {
    await this.stopWorker();
    await manage(this.broker, 'DELETE', `/api/vhosts/${this.broker.corner}`);
  }
}

async function manage(
  { management, authorization }: { management: string; authorization: string },
  method: string,
  path: string,
  body?: object,
): Promise<void> {
  const headers = { authorization, 'content-type': 'application/json' };
  const answer = await fetch(management + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) throw new Error(`RabbitMQ's management answered ${answer.status}: ${await answer.text()}`);
}
