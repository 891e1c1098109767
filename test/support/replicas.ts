import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { newDatabase } from './databases';
import { PASSWORD } from './identity';

const ROOT = resolve(__dirname, '..', '..');

interface Product {
  url: string;
  log: string;
  child: ChildProcess;
  ended: Promise<{ code: number | null; signal: string | null }>;
  start(): Promise<number>;
  stop(): Promise<unknown>;
  remove(): void;
}
type ProductClass = new (options: { environment: Record<string, string>; directory: string; nodeFlags?: string[] }) => Product;

export interface Answer {
  status: number;
  milliseconds: number;
  headers: Headers;
  json: Record<string, unknown>;
}

/** One process of the built product. */
export class Replica {
  private constructor(private readonly product: Product) {}

  static async start(environment: Record<string, string>, nodeFlags: string[] = []): Promise<Replica> {
    if (!existsSync(join(ROOT, 'dist', 'apps', 'api', 'src', 'main.js'))) throw new Error('The product is not built: npm run build.');
    const { ServerProcess } = (await import(join(ROOT, 'test', 'support', 'server.mjs'))) as { ServerProcess: ProductClass };
    // A migrated database of its own, unless the settings name one.
    const { directory } = await newDatabase('embedded', environment.DATABASE_URL !== undefined);
    const settings = { RATE_LIMIT_PER_MINUTE: '100000', ...environment };
    const replica = new Replica(new ServerProcess({ environment: settings, directory, nodeFlags }));
    await replica.product.start();
    return replica;
  }

  get url(): string {
    return this.product.url;
  }

  /** All that it wrote. */
  get log(): string {
    return this.product.log;
  }

  async ask(path: string, token?: string, body?: object): Promise<Answer> {
    const started = performance.now();
    const response = await fetch(this.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    const milliseconds = performance.now() - started;
    return { status: response.status, milliseconds, headers: response.headers, json: text === '' ? {} : (JSON.parse(text) as never) };
  }

  async register(email: string): Promise<string> {
    const { status, json } = await this.ask('/api/v1/auth/register', undefined, { email, password: PASSWORD });
    if (status !== 201) throw new Error(`Registering answered ${status}.`);
    return String(json.access_token);
  }

  /** What `/health/detailed` says of a service. */
  async service(name: string, token?: string): Promise<Record<string, unknown>> {
    const { json } = await this.ask('/health/detailed', token);
    return (json.services as Record<string, unknown>[]).find((one) => one.name === name) ?? {};
  }

  signal(name: NodeJS.Signals): void {
    this.product.child.kill(name);
  }

  /** How its process ended. */
  ended(): Promise<{ code: number | null; signal: string | null }> {
    return this.product.ended;
  }

  async stop(): Promise<void> {
    await this.product.stop();
    this.product.remove();
  }
}

/** Two processes on one database, as a gateway has them behind it. */
export async function startReplicas(environment: Record<string, string>): Promise<{ both: [Replica, Replica]; close(): Promise<void> }> {
  const place = await newDatabase('postgres');
  const settings = { DATABASE_URL: place.url ?? '', JWT_SECRET: 'a secret of two processes, 32 bytes and more', ...environment };
  const first = await Replica.start(settings);
  const second = await Replica.start(settings);
  return {
    both: [first, second],
    async close() {
      await Promise.all([first.stop(), second.stop()]);
      await place.drop();
    },
  };
}

export interface Traffic {
  answers: Answer[];
  /** Requests that got no answer at all. */
  failures: unknown[];
  /** Ends it and waits for the last answer. */
  stop(): Promise<void>;
}

/** So many requests in a second, in turn to each of `asks`, whether or not those before were answered. */
export function traffic(perSecond: number, asks: (() => Promise<Answer>)[]): Traffic {
  const answers: Answer[] = [];
  const failures: unknown[] = [];
  const open = new Set<Promise<void>>();
  let count = 0;
  const timer = setInterval(() => {
    const ask = asks[count % asks.length];
    count += 1;
    if (ask === undefined) return;
    const asking: Promise<void> = ask()
      .then(
        (answer) => void answers.push(answer),
        (error: unknown) => void failures.push(error),
      )
      .finally(() => open.delete(asking));
    open.add(asking);
  }, 1_000 / perSecond);
  return {
    answers,
    failures,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}

export function percentile(answers: Answer[], share: number): number {
  const sorted = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
