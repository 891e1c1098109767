import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CanaryRequest {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
}

export type CanaryAnswer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on 127.0.0.1 that counts every connection and request: what it has not counted, nobody tried. */
export class CanaryHttp {
  connections = 0;
  requests: CanaryRequest[] = [];
  answer: CanaryAnswer = (_request, response) => void response.end('the canary');

  private constructor(private readonly server: Server) {
    server.on('connection', () => (this.connections += 1));
    server.on('request', (request, response) => {
      this.requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
      this.answer(request, response);
    });
  }

  static async start(): Promise<CanaryHttp> {
    const server = createServer();
    const canary = new CanaryHttp(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return canary;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  forget(): void {
    this.connections = 0;
    this.requests = [];
    this.answer = (_request, response) => void response.end('the canary');
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
