import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RecordedCall {
  path: string;
  body: Record<string, unknown>;
}

/** Speaks Ollama's protocol as a test scripts it, for what a real server does not do on demand: odd ends, stalls, pulls without a registry. */
export class OllamaDouble {
  readonly calls: RecordedCall[] = [];
  /** By path below `/api/`; `load` for calls that only load a model. */
  readonly answers = new Map<string, (call: RecordedCall, response: ServerResponse) => void>();
  models: string[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<OllamaDouble> {
    const server = createServer();
    const double = new OllamaDouble(server);
    server.on('request', (request, response) => void double.serve(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    double.answers.set('version', (_, response) => response.end('{"version":"0.0.0"}'));
    double.answers.set('ps', (_, response) => response.end('{"models":[]}'));
    double.answers.set('load', (_, response) => response.end('{"done":true,"done_reason":"load","embeddings":[]}'));
    double.answers.set('tags', (_, response) => response.end(JSON.stringify({ models: double.models.map(tagOf) })));
    double.answers.set('show', (_, response) => response.end(JSON.stringify(SHOWN)));
    return double;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  to(path: string): RecordedCall[] {
    return this.calls.filter((call) => call.path === path);
  }

  /** Lines of JSON, then the end, or a broken connection. */
  lines(path: string, lines: object[], end: 'end' | 'break' | 'stall' = 'end'): void {
    this.answers.set(path, (_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      for (const line of lines) response.write(`${JSON.stringify(line)}\n`);
      if (end === 'end') response.end();
      // What was written must have left before the connection breaks.
      if (end === 'break') setImmediate(() => response.destroy());
    });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += String(part);
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    const path = (request.url ?? '').replace('/api/', '');
    const call = { path: loads(path, body) ? 'load' : path, body };
    this.calls.push(call);
    const answer = this.answers.get(call.path);
    if (answer === undefined) response.writeHead(404).end('{"error":"nobody scripted this"}');
    else answer(call, response);
  }
}

function loads(path: string, { prompt, input }: Record<string, unknown>): boolean {
  return (path === 'generate' && prompt === undefined) || (path === 'embed' && Array.isArray(input) && input.length === 0);
}

function tagOf(name: string): object {
  return { name, size: 1_000, digest: 'd'.repeat(64) };
}

/** A chat model with a context of 4,096 tokens and no vocabulary. */
const SHOWN = {
  template: '{{ .Prompt }}',
  capabilities: ['completion', 'tools', 'thinking'],
  model_info: { 'general.architecture': 'llama', 'llama.context_length': 4_096 },
};
