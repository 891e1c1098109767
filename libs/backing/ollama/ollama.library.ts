import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { OllamaClient } from './ollama.client';
import { unreachable } from './ollama.error';
import type { OllamaServer } from './ollama.server';

export interface PullProgress {
  /** Bytes of all files of the model so far, and together, as far as they are known. */
  done: number;
  total: number;
  /** What the server says it does: `pulling manifest`, `verifying sha256 digest` … */
  message: string;
}

interface PullLine {
  status?: string;
  digest?: string;
  total?: number;
  completed?: number;
}

/** Seconds without a word from the server while it downloads. */
const SILENCE = 120;
const DELETE_SECONDS = 30;
/** A server that is up says so within this. */
const ANSWER_SECONDS = 1;

/**
 * Brings models to the Ollama servers and removes them there: to and from every server that answers now. A pull that is broken off goes on where it
 * was: the server keeps the parts.
 */
@Injectable()
export class OllamaLibrary {
  constructor(private readonly client: OllamaClient) {}

  /**
   * Resolves when the model is on every server that is up, verified there; progress is that of all of them together. Errors: `unprocessable` (no such
   * model in the registry), `unavailable`, `cancelled`; what other servers have begun is brought to its end first.
   */
  async pull(name: string, onProgress: (progress: PullProgress) => Promise<void>, signal: AbortSignal): Promise<void> {
    const servers = await this.up();
    const progress = new Map<OllamaServer, PullProgress>();
    const report = async (server: OllamaServer, own: PullProgress): Promise<void> => {
      progress.set(server, own);
      const sum = (part: 'done' | 'total'): number => [...progress.values()].reduce((all, one) => all + one[part], 0);
      await onProgress({ done: sum('done'), total: sum('total'), message: own.message });
    };
    const pulls = await Promise.allSettled(servers.map((server) => pullTo(server, name, (own) => report(server, own), signal)));
    const failed = pulls.find((pull) => pull.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Also when it is not there any more. */
  async remove(name: string): Promise<void> {
    await Promise.all((await this.up()).map((server) => removeFrom(server, name)));
  }

  /** Errors: `unavailable` when no server answers. */
  private async up(): Promise<OllamaServer[]> {
    const servers = await this.client.servers();
    const found = await Promise.all(servers.map(answersNow));
    const up = servers.filter((_, at) => found[at]);
    if (up.length === 0) throw unreachable();
    return up;
  }
}

/** Also when it is not there any more. */
export async function removeFrom(server: OllamaServer, name: string): Promise<void> {
  const signal = new AbortController().signal;
  try {
    await server.json({ path: 'delete', method: 'DELETE', body: { model: name }, name, signal, seconds: DELETE_SECONDS });
  } catch (error) {
    if (!(error instanceof AppError && /not on the Ollama server/.test(error.message))) throw error;
  }
}

async function answersNow(server: OllamaServer): Promise<boolean> {
  const signal = new AbortController().signal;
  const asked = server.json({ path: 'version', method: 'GET', name: '', signal, seconds: ANSWER_SECONDS, probe: true });
  return asked.then(
    () => true,
    () => false,
  );
}

async function pullTo(
  server: OllamaServer,
  name: string,
  onProgress: (progress: PullProgress) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const files = new Map<string, { done: number; total: number }>();
  const call = { path: 'pull', body: { model: name, stream: true }, name, signal, seconds: SILENCE, idleSeconds: SILENCE };
  try {
    for await (const line of server.lines(call) as AsyncIterable<PullLine>) {
      if (line.status === 'success') return;
      if (line.digest !== undefined && line.total !== undefined) {
        files.set(line.digest, { done: Math.min(line.completed ?? 0, line.total), total: line.total });
      }
      const sum = (part: 'done' | 'total'): number => [...files.values()].reduce((all, file) => all + file[part], 0);
      await onProgress({ done: sum('done'), total: sum('total'), message: (line.status ?? '').slice(0, 100) });
    }
  } catch (error) {
    throw pullFault(error, name);
  }
  throw new AppError('unavailable', `Pulling ${name} broke off: Ollama ended the stream before it was done.`);
}

/** What the registry said stands in the cause; its addresses stay inside. */
function pullFault(error: unknown, name: string): unknown {
  if (!(error instanceof AppError) || error.code === 'cancelled' || error.code === 'timeout') return error;
  const said = error.cause instanceof Error ? error.cause.message : '';
  if (/file does not exist|manifest unknown|not on the Ollama server|invalid model name/i.test(said + error.message)) {
    return new AppError('unprocessable', `name: Ollama's registry has no model ${name}.`, { cause: error });
  }
  if (/answered \d+:/.test(said)) return new AppError('unavailable', `Ollama could not pull ${name} from its registry.`, { cause: error });
  return error;
}
