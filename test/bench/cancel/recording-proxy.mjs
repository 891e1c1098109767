// Stands before the real Ollama and writes down, for each request, the lines that came back (a token or more each) and when its connection was closed.
import { createServer, request as open } from 'node:http';

const WORK = ['chat', 'generate', 'embed'];

export class RecordingProxy {
  waiting = [];
  requests = [];

  static async start(url) {
    const proxy = new RecordingProxy();
    proxy.target = new URL(url);
    proxy.server = createServer((request, response) => proxy.forward(request, response));
    await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
    return proxy;
  }

  /** The next request for this work. */
  next(path) {
    const known = this.requests.find((recorded) => recorded.path === path && !recorded.given);
    if (known === undefined) return new Promise((resolve) => this.waiting.push({ path, resolve }));
    known.given = true;
    return Promise.resolve(known);
  }

  reset() {
    this.requests = [];
    this.waiting = [];
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  forward(request, response) {
    const path = request.url.replace('/api/', '');
    const recorded = { path, tokens: 0, closedAt: undefined, given: false };
    recorded.closed = new Promise((resolve) =>
      response.once('close', () => {
        recorded.closedAt = performance.now();
        resolve();
      }),
    );
    const { hostname, port } = this.target;
    const upstream = open({ hostname, port, path: request.url, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.on('data', (bytes) => (recorded.tokens += bytes.toString('latin1').split('\n').length - 1));
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    // Who leaves the proxy leaves the server.
    response.once('close', () => upstream.destroy());
    request.pipe(upstream);
    if (WORK.includes(path)) this.given(recorded);
  }

  given(recorded) {
    this.requests.push(recorded);
    const at = this.waiting.findIndex(({ path }) => path === recorded.path);
    if (at < 0) return;
    recorded.given = true;
    this.waiting.splice(at, 1)[0].resolve(recorded);
  }
}
