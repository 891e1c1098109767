import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ParsedText, ParseRequest } from './formats/parsed-text';
import { ParserThread, type ParserLimits } from './parser.thread';

/** Text of a file, with its offsets in UTF-16 code units. */
export type ParsedDocument = ParsedText;

const LIMITS: ParserLimits = { seconds: 120, megabytes: 512 };
/** The thread and its libraries are given back after this time without a file. */
const IDLE_MS = 30_000;
/** Bytes that are made a string in one go. */
const SLICE = 524_288;

/**
 * Reads untrusted files: PDF, DOCX, HTML, CSV, JSON, Markdown and text, in a thread that starts with the first file and ends when idle. One
 * file at a time, in order. Errors: `unprocessable` (encrypted, damaged, without text, too much work), `too_large`; the signal's reason.
 */
@Injectable()
export class DocumentParser implements OnApplicationShutdown {
  private thread?: ParserThread;
  private idle?: NodeJS.Timeout;
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  constructor(private readonly limits: ParserLimits = LIMITS) {}

  /** May take the bytes away from the caller. */
  async parse(request: ParseRequest, signal: AbortSignal): Promise<ParsedDocument> {
    const { promise: cancelled, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener('abort', onAbort, { once: true });
    this.waiting += 1;
    const turn = this.last.then(() => this.read(request, signal)).finally(() => (this.waiting -= 1));
    this.last = turn.catch(() => undefined);
    return Promise.race([turn, cancelled]).finally(() => signal.removeEventListener('abort', onAbort));
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.idle);
    await this.thread?.end();
  }

  private async read(request: ParseRequest, signal: AbortSignal): Promise<ParsedDocument> {
    clearTimeout(this.idle);
    if (this.thread === undefined || this.thread.ended) this.thread = new ParserThread(this.limits);
    try {
      const { text, parsed } = await this.thread.read(request, signal);
      return { ...parsed, text: await asString(text) };
    } finally {
      if (this.waiting <= 1) this.idle = setTimeout(() => void this.thread?.end(), IDLE_MS).unref();
    }
  }
}

/** In slices: others have the event loop between them. */
async function asString(bytes: Uint8Array): Promise<string> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: string[] = [];
  for (let at = 0; at < buffer.length; at += SLICE) {
    parts.push(buffer.toString('utf16le', at, Math.min(at + SLICE, buffer.length)));
    await nextTurn();
  }
  return parts.join('');
}
