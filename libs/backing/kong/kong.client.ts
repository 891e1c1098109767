import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Agent, Dispatcher } from 'undici';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';

/** Questions are few and rare. */
const CONNECTIONS = 1;
const CONNECT_MS = 500;
const DEADLINE_MS = 1_000;
const LARGEST_ANSWER = 65_536;
const LONGEST_REASON = 200;

/**
 * The one door to the status listener of the gateway (`KONG_STATUS_URL`, Kong 3.3 or newer), which asks for nothing and changes nothing; the driver is
 * loaded by the first call. Errors: `unavailable` (refused, not ready with Kong's own reason, or no Kong there), `timeout` after 1 s.
 */
@Injectable()
export class KongClient implements OnApplicationShutdown {
  private readonly url?: string;
  private agent?: Promise<Agent>;

  constructor({ kong }: AppConfig) {
    this.url = kong.statusUrl;
  }

  /** Whether the settings name a gateway at all. */
  get configured(): boolean {
    return this.url !== undefined;
  }

  /** Resolves when the gateway has its routes and takes traffic (`GET /status/ready`). */
  async ready(): Promise<void> {
    if (this.url === undefined) throw new AppError('unavailable', 'KONG_STATUS_URL is not set.', { retryable: false });
    const { status, text } = await this.get(`${this.url}/status/ready`);
    if (status === 200) return;
    if (status === 503) throw new AppError('unavailable', `Kong is not ready: ${reasonIn(text)}`);
    throw new AppError('unavailable', `KONG_STATUS_URL does not name the status listener of Kong: HTTP ${status} for /status/ready.`);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.agent?.then((agent) => agent.destroy());
  }

  private async get(url: string): Promise<{ status: number; text: string }> {
    // Loading the driver is not the gateway's time.
    const [{ request }, dispatcher] = await Promise.all([import('undici'), this.connections()]);
    const signal = AbortSignal.timeout(DEADLINE_MS);
    try {
      const answer = await request(url, { dispatcher, signal, headers: { accept: 'application/json' } });
      return { status: answer.statusCode, text: await limited(answer.body) };
    } catch (cause) {
      if (signal.aborted) throw new AppError('timeout', `Kong did not answer within ${DEADLINE_MS / 1_000} s.`, { cause });
      throw new AppError('unavailable', 'Kong does not answer at KONG_STATUS_URL.', { cause });
    }
  }

  private connections(): Promise<Agent> {
    this.agent ??= import('undici').then(({ Agent }) => new Agent({ connections: CONNECTIONS, connect: { timeout: CONNECT_MS } }));
    return this.agent;
  }
}

/** Nothing of more than a few words is expected: the rest of a larger answer is not read. */
async function limited(body: Dispatcher.ResponseData['body']): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Uint8Array>) {
    parts.push(part);
    size += part.length;
    if (size > LARGEST_ANSWER) break;
  }
  return Buffer.concat(parts).toString('utf8');
}

function reasonIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === 'string') return message.slice(0, LONGEST_REASON);
  } catch {
    // No JSON: nothing of it is worth showing.
  }
  return 'it gives no reason.';
}
