import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AppError } from '@kernel/errors';
import type { FaissRoutes } from './faiss-routes';

/** A body, and all bodies that are being received or worked on together. */
const MOST_BODY_BYTES = 64 * 1_048_576;
const MOST_BODIES_BYTES = 256 * 1_048_576;
/** Milliseconds for a whole request to arrive, and for its head. */
const REQUEST_MS = 30_000;
const HEAD_MS = 5_000;
const MOST_CONNECTIONS = 512;
/** How long a client may keep an unused connection. */
const KEEP_ALIVE_MS = 60_000;

export interface ServerOptions {
  routes: FaissRoutes;
  /** Accepted names in `Host`; undefined: any (a socket of this machine's file system, or a private network). */
  hosts?: readonly string[];
  /** False while the service ends. */
  ready: () => boolean;
  onError: (error: unknown) => void;
}

/**
 * The HTTP face of the engine: `/livez`, `/readyz` and the routes of indexes. It knows no callers: it belongs on loopback, a socket file or a private
 * network. A browser gets nothing from it (no foreign `Host`, no `Origin`, no form's content type).
 */
export class FaissServer {
  readonly server: Server;
  private bodies = 0;
  /** Requests whose answer is still owed. */
  private owed = 0;

  constructor(private readonly options: ServerOptions) {
    const limits = { requestTimeout: REQUEST_MS, headersTimeout: HEAD_MS, keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: 8_192 };
    this.server = createServer(limits, (request, response) => void this.serve(request, response));
    this.server.maxConnections = MOST_CONNECTIONS;
  }

  /** Takes no more connections, answers what is owed, ends. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeIdleConnections();
    });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.owed += 1;
    try {
      send(response, 200, await this.answer(request, response), this.options.ready());
    } catch (error) {
      const fault = error instanceof AppError ? error : new AppError('internal', 'The FAISS service failed.', { cause: error });
      if (fault.code === 'internal') this.options.onError(error);
      if (fault.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(fault.retryAfterSeconds));
      send(response, fault.status, { error: { code: fault.code, message: fault.message } }, this.options.ready() && request.complete);
    } finally {
      this.owed -= 1;
    }
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<Record<string, unknown>> {
    this.refuseStrangers(request);
    const url = new URL(request.url ?? '/', 'http://faiss');
    if (url.pathname === '/livez') return { status: 'ok' };
    if (url.pathname === '/readyz') {
      if (!this.options.ready()) throw new AppError('unavailable', 'The FAISS service is ending.', { retryAfterSeconds: 1 });
      return { status: 'ok' };
    }
    const contentType = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim() ?? '';
    const body = await this.body(request);
    try {
      // Nobody waits for the answer any more.
      if (response.destroyed) throw new AppError('cancelled', 'The client has gone.');
      const segments = url.pathname.slice(1).split('/').map(decoded);
      return await this.options.routes.answer({ method: request.method ?? 'GET', segments, query: url.searchParams, contentType, body });
    } finally {
      this.bodies -= body.length;
    }
  }

  private refuseStrangers({ headers }: IncomingMessage): void {
    const { hosts } = this.options;
    const host = (headers.host ?? '').toLowerCase().replace(/:\d*$/, '');
    if (headers.origin !== undefined || (hosts !== undefined && !hosts.includes(host)))
      throw new AppError('forbidden', 'The FAISS service answers no web pages.');
  }

  /** Counts its bytes as in use. */
  private async body(request: IncomingMessage): Promise<Buffer> {
    if (Number(request.headers['content-length'] ?? 0) > MOST_BODY_BYTES) throw tooLarge();
    const parts: Buffer[] = [];
    let length = 0;
    try {
      for await (const part of request as AsyncIterable<Buffer>) {
        if (length + part.length > MOST_BODY_BYTES) throw tooLarge();
        if (this.bodies + part.length > MOST_BODIES_BYTES)
          throw new AppError('unavailable', 'The FAISS service has too much to do.', { retryAfterSeconds: 1 });
        parts.push(part);
        length += part.length;
        this.bodies += part.length;
      }
    } catch (error) {
      this.bodies -= length;
      throw error instanceof AppError ? error : new AppError('cancelled', 'The client has gone.', { cause: error });
    }
    return Buffer.concat(parts, length);
  }
}

function send(response: ServerResponse, status: number, body: Record<string, unknown>, keepOpen: boolean): void {
  if (response.destroyed) return;
  if (!keepOpen) response.setHeader('connection', 'close');
  const text = JSON.stringify(body);
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' })
    .end(text);
}

function tooLarge(): AppError {
  return new AppError('too_large', `A body may have ${MOST_BODY_BYTES} bytes.`);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new AppError('invalid', 'The path is not encoded as it must be.', { cause: error });
  }
}
