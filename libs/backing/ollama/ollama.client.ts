import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Agent, Dispatcher } from 'undici';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { Deadline } from './deadline';
import { jsonLines } from './json-lines';
import { brokenOff, cancelled, refusal, unreachable } from './ollama.error';

/** Milliseconds for which a server that could not be reached is not tried again. */
const BLOCKED = 2_000;
const CONNECT = 2_000;
/** Sockets to the server; what needs more waits here, in order. */
const CONNECTIONS = 64;
const LARGEST_ANSWER = 128 * 2 ** 20;

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
  /** Seconds between two lines. */
  idleSeconds?: number;
}

/**
 * The one door to the Ollama server of OLLAMA_URL: a pool of kept connections shared by calls and health checks. Only the routes of a client are ever
 * called (chat, generate, embed, tags, show, ps, version; for an admin pull and delete). Aborting destroys the request, by which Ollama stops its work.
 * Errors: `unavailable` (unreachable: at once for a while after a failed connection; busy; missing model), `timeout`, `cancelled`, `invalid`.
 */
@Injectable()
export class OllamaClient implements OnApplicationShutdown {
  private readonly url?: string;
  private agent?: Agent;
  private blockedUntil = 0;

  constructor(config: AppConfig) {
    this.url = config.ollama.urls[0];
  }

  /** Whether the settings name a server at all. */
  get configured(): boolean {
    return this.url !== undefined;
  }

  /** One answer as a whole. `probe`: also while the server counts as unreachable. */
  async json<Answer extends object>(call: OllamaCall & { probe?: boolean }): Promise<Answer> {
    const deadline = new Deadline(call.signal);
    deadline.extend(call.seconds, `Ollama's answer to ${call.path}`);
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
        deadline.extend(call.idleSeconds ?? call.seconds, 'The next token');
        yield line;
      }
    } catch (error) {
      throw this.translated(error, call, deadline, body !== undefined);
    } finally {
      deadline.end();
      body?.on('error', () => undefined).destroy();
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.agent?.destroy();
  }

  private async open(call: OllamaCall & { probe?: boolean }, deadline: Deadline): Promise<Dispatcher.ResponseData['body']> {
    if (this.url === undefined) throw new AppError('unavailable', 'OLLAMA_URL is not set.', { retryable: false });
    if (call.signal.aborted) throw cancelled(call.signal);
    if (call.probe !== true && performance.now() < this.blockedUntil) throw unreachable();
    const { Agent, request } = await import('undici');
    this.agent ??= new Agent({ connections: CONNECTIONS, connect: { timeout: CONNECT }, headersTimeout: 0, bodyTimeout: 0 });
    const answer = await request(`${this.url}/api/${call.path}`, {
      dispatcher: this.agent,
      method: call.method ?? 'POST',
      headers: { accept: 'application/json', ...(call.body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: call.body === undefined ? undefined : JSON.stringify(call.body),
      signal: deadline.signal,
    });
    this.blockedUntil = 0;
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer.body;
    throw refusal(answer.statusCode, errorOf(await limited(answer.body)), call.name);
  }

  private translated(error: unknown, call: OllamaCall, deadline: Deadline, begun = false): AppError {
    if (call.signal.aborted) return cancelled(call.signal);
    if (deadline.passed !== undefined) return deadline.passed;
    if (error instanceof AppError) return error;
    if (begun) return brokenOff(call.name, error);
    this.blockedUntil = performance.now() + BLOCKED;
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
