import { Pool } from 'undici';

export interface SentRequest {
  method: string;
  /** As it stands on the request line. */
  target: string;
  headers?: Record<string, string>;
  bearer?: string;
  body?: unknown;
  /** A body as it is, instead. */
  bytes?: string;
}

export interface ReceivedAnswer {
  status: number;
  text: string;
  headers: Record<string, string | string[] | undefined>;
}

const CONNECTIONS = 16;

/** Sends requests as they are written: no client cleans the path, adds a header or follows a redirect. */
export class Sender {
  private readonly pool: Pool;

  constructor(url: string) {
    this.pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  }

  /** A connection that the server was just closing is asked again on another; when that ends the same way, the status is 0. */
  async send(request: SentRequest): Promise<ReceivedAnswer> {
    return this.once(request).catch(() => this.once(request).catch((error: Error) => ({ status: 0, text: error.message, headers: {} })));
  }

  /** All of it, so many at a time as there are connections. */
  async each<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
    const rest = items.values();
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        for (const item of rest) await work(item);
      }),
    );
  }

  close(): Promise<void> {
    return this.pool.destroy();
  }

  private async once({ method, target, headers = {}, bearer, body, bytes }: SentRequest): Promise<ReceivedAnswer> {
    const answer = await this.pool.request({
      method: method as 'GET',
      path: target,
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: bytes ?? (body === undefined ? null : JSON.stringify(body)),
    });
    return { status: answer.statusCode, text: await answer.body.text(), headers: answer.headers };
  }
}
