import type { Agent, Dispatcher } from 'undici';
import { ServiceGuard } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import { Deadline } from './deadline';
import { jsonLines } from './json-lines';
import { ModelBreaker } from './model.breaker';
import { brokenOff, cancelled, refusal, unreachable } from './ollama.error';

const CONNECT = 2_000;
/** Sockets to the server; what needs more waits here, in order. */
const CONNECTIONS = 64;
const LARGEST_ANSWER = 128 * 2 ** 20;
const PROBE_SECONDS = 1;

export interface OllamaCall {
  /** Below `/api/`. */
  path: string;
  method?: 'GET' | 'POST' | 'DELETE';
  body?: Record<string, unknown>;
  /** The model as Ollama calls it, for the words of errors. */
  name: string;
  signal: AbortSignal;
  /** Seconds until the whole answer (`json`) or its first line (`lines`) is there. */
  seconds: number;
  /** What may take so long, for the words of a timeout. */
  what?: string;
  /** Seconds between two lines. */
  idleSeconds?: number;
}

/**
 * The one door to one Ollama server: a pool of kept connections shared by calls and health checks, and a guard. Only the routes of a client are ever
 * called (chat, generate, embed, tags, show, ps, version; for an admin pull and delete). Aborting destroys the request, by which Ollama stops its work.
 * Errors: `unavailable` (unreachable: at once until a probe finds it again; busy; missing model), `timeout`, `cancelled`, `invalid`.
 */
export class OllamaServer {
  /** Calls to models that this process has under way there, those that wait included. */
  calls = 0;
  private agent?: Agent;
  private readonly breakers = new Map<string, ModelBreaker>();
  /**
   * Lists of models find out whether the server is there; that a model is slow, or a queue full, says nothing about it. So only a connection that
   * fails and a list that does not come open the breaker.
   */
  private readonly guard = new ServiceGuard({
    service: 'Ollama',
    deadlineMs: PROBE_SECONDS * 1_000,
    ping: (signal) => this.json({ path: 'tags', method: 'GET', name: '', signal, seconds: PROBE_SECONDS, probe: true }),
  });

  constructor(readonly url: string) {}

  /** Its address without what may be secret in it. */
  get place(): string {
    return URL.parse(this.url)?.host ?? 'an address that is none';
  }

  /** It was found to be gone, and no probe has found it since: calls fail at once. */
  get away(): boolean {
    return this.guard.isOpen;
  }

  /** The breaker of one model there. */
  breaker(model: string): ModelBreaker {
    const breaker = this.breakers.get(model) ?? new ModelBreaker();
    this.breakers.set(model, breaker);
    return breaker;
  }

  lost(cause: unknown): void {
    this.guard.trip(cause);
  }

  /** One answer as a whole. `probe`: also while the server counts as gone. */
  async json<Answer extends object>(call: OllamaCall & { probe?: boolean }): Promise<Answer> {
    const deadline = new Deadline(call.signal);
    deadline.extend(call.seconds, call.what ?? `Ollama's answer to ${call.path}`);
    try {
      const body = await this.open(call, deadline);
      const text = await limited(body);
      return (text === '' ? {} : JSON.parse(text)) as Answer;
    } catch (error) {
      throw this.translated(error, call, deadline);
    } finally {
      deadline.end();
    }
  }

  /** The lines of a stream; one that reports an error throws it. Ending the iteration early closes the connection. */
  async *lines(call: OllamaCall): AsyncGenerator<Record<string, unknown>, void> {
    const deadline = new Deadline(call.signal);
    deadline.extend(call.seconds, 'The first token');
    let body: Dispatcher.ResponseData['body'] | undefined;
    try {
      body = await this.open(call, deadline);
      for await (const line of jsonLines(body)) {
        if (typeof line.error === 'string') throw refusal(500, line.error, call.name);
        // The reader's own time is not the server's.
        deadline.pause();
        yield line;
        deadline.extend(call.idleSeconds ?? call.seconds, 'The next token');
      }
    } catch (error) {
      throw this.translated(error, call, deadline, body !== undefined);
    } finally {
      deadline.end();
      body?.on('error', () => undefined).destroy();
    }
  }

  /** No new calls; those under way may end, unless it must be `now`. */
  async close(now: boolean): Promise<void> {
    this.guard.close();
    await (now ? this.agent?.destroy() : this.agent?.close());
  }

  private async open(call: OllamaCall & { probe?: boolean }, deadline: Deadline): Promise<Dispatcher.ResponseData['body']> {
    if (call.signal.aborted) throw cancelled(call.signal);
    if (call.probe !== true && this.away) throw unreachable();
    const { Agent, request } = await import('undici');
    this.agent ??= new Agent({ connections: CONNECTIONS, connect: { timeout: CONNECT }, headersTimeout: 0, bodyTimeout: 0 });
    const answer = await request(`${this.url}/api/${call.path}`, {
      dispatcher: this.agent,
      method: call.method ?? 'POST',
      headers: { accept: 'application/json', ...(call.body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: call.body === undefined ? undefined : JSON.stringify(call.body),
      signal: deadline.signal,
    });
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer.body;
    throw refusal(answer.statusCode, errorOf(await limited(answer.body)), call.name);
  }

  private translated(error: unknown, call: OllamaCall, deadline: Deadline, begun = false): AppError {
    if (call.signal.aborted) return cancelled(call.signal);
    if (deadline.passed !== undefined) return deadline.passed;
    if (error instanceof AppError) return error;
    if (begun) return brokenOff(call.name, error);
    this.lost(error);
    return unreachable(error);
  }
}

async function limited(body: Dispatcher.ResponseData['body']): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > LARGEST_ANSWER) throw new Error('An answer of Ollama is too large.');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function errorOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'string' ? error : text.slice(0, 500);
  } catch {
    return text.slice(0, 500);
  }
}
