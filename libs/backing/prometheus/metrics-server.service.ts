import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Injectable, Logger, Optional, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { Probes } from './probes';
import { PrometheusMetrics } from './prometheus-metrics.client';

/** Milliseconds for a request to arrive. */
const REQUEST_DEADLINE = 5_000;
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/**
 * Answers GET /metrics, and nothing else, on METRICS_PORT of the API's host: a port of its own, so that what may reach the API need not reach
 * these figures. A process without an API provides `Probes` and has /livez and /readyz here too. Starts and stops with the application. Errors: `unavailable` when the port cannot be had.
 */
@Injectable()
export class MetricsServer implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(MetricsServer.name);
  private readonly server: Server;

  constructor(
    private readonly config: AppConfig,
    private readonly metrics: PrometheusMetrics,
    @Optional() private readonly probes?: Probes,
  ) {
    this.server = createServer(
      { requestTimeout: REQUEST_DEADLINE, headersTimeout: REQUEST_DEADLINE, maxHeaderSize: 8_192 },
      (request, response) => {
        this.answer(request, response).catch((error: unknown) => this.fail(response, error));
      },
    );
  }

  /** The port that it really listens on; METRICS_PORT=0 lets the system choose. */
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async onApplicationBootstrap(): Promise<void> {
    const { http, metrics } = this.config;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'EADDRINUSE' ? 'another process listens there' : `the system says ${error.code}`;
        const sentence = `Cannot listen on port ${metrics.port} of ${http.host} for metrics: ${why}. Set METRICS_PORT.`;
        reject(new AppError('unavailable', sentence, { cause: error }));
      });
      this.server.listen(metrics.port, http.host, resolve);
    });
  }

  async onApplicationShutdown(): Promise<void> {
    if (!this.server.listening) return;
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.knows(request.headers.host)) return end(response, 400, 'The Host of this request is not a name of this server.\n');
    const [path] = (request.url ?? '').split('?', 1);
    const probe = path === '/livez' || path === '/readyz' ? this.probes : undefined;
    if (path !== '/metrics' && probe === undefined) return end(response, 404, 'Only /metrics is here.\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return end(response, 405, 'Only GET is allowed here.\n');
    }
    if (probe !== undefined) return this.tell(response, path === '/livez' || (await probe.ready()));
    const text = await this.metrics.text();
    response.setHeader('content-type', this.metrics.contentType);
    end(response, 200, request.method === 'HEAD' ? '' : text);
  }

  private tell(response: ServerResponse, ok: boolean): void {
    response.setHeader('content-type', 'application/json; charset=utf-8');
    end(response, ok ? 200 : 503, JSON.stringify({ status: ok ? 'ok' : 'unavailable' }));
  }

  /** On loopback a page whose name was pointed at this machine cannot read the figures; elsewhere scrapers come by any name. */
  private knows(host: string | undefined): boolean {
    const { loopback, publicHosts } = this.config.http;
    return !loopback || publicHosts.includes((host ?? '').toLowerCase().replace(/:\d*$/, ''));
  }

  private fail(response: ServerResponse, error: unknown): void {
    this.logger.error(error instanceof Error ? error : new Error(String(error)));
    if (response.headersSent) response.destroy();
    else end(response, 500, 'The metrics could not be read.\n');
  }
}

function end(response: ServerResponse, status: number, body: string): void {
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.writeHead(status, HEADERS).end(body);
}
