import type { ServerResponse } from 'node:http';
import type { JobEvent } from '@features/jobs';
import { AppError } from '@kernel/errors';

const LEAVE_MS = 1_000;

/** Events in the wire form of an event stream (WHATWG HTML, 9.2): JSON has no line break outside its escapes, so data is one line. */
export function encodeEvents(events: readonly JobEvent[]): string {
  return events.map(({ seq, event, data }) => `id: ${seq}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join('');
}

/** After which event a reader goes on, and the field of the request that says so. */
export interface Position {
  after: number;
  field: 'Last-Event-ID' | 'after';
}

/** The position of a reader: the header (which a reconnecting browser sends) wins over the query. Throws `invalid`. */
export function lastSeen(header: string | string[] | undefined, query: string | undefined): Position {
  if (header === undefined || header === '') return { after: Number(query ?? 0), field: 'after' };
  if (typeof header !== 'string' || !/^\d{1,9}$/.test(header))
    throw AppError.field('invalid', 'Last-Event-ID', 'must be the id of an event.');
  return { after: Number(header), field: 'Last-Event-ID' };
}

/**
 * Writes an event stream to one client. A client that goes away, or that takes nothing for `stallMs`, aborts its signal;
 * nothing is queued for it beyond one write.
 */
export class EventStream {
  private readonly controller = new AbortController();

  constructor(
    private readonly raw: ServerResponse,
    private readonly stallMs: number,
    private readonly onStalled: () => void = () => undefined,
  ) {
    raw.once('close', () => this.stop());
    raw.on('error', () => this.stop());
  }

  /** Aborts when nothing more should be read for this client. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** What was written and the system has not taken yet. */
  get heldBytes(): number {
    return this.raw.writableLength;
  }

  stop(): void {
    this.controller.abort();
  }

  open(headers: Record<string, string | number | string[] | undefined>): void {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) this.raw.setHeader(name, value);
    this.raw.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
    this.raw.setHeader('Cache-Control', 'no-store');
    this.raw.setHeader('X-Accel-Buffering', 'no');
    this.raw.writeHead(200);
    this.raw.write('retry: 1000\n\n');
  }

  /** Resolves when the client may be given more. */
  async write(text: string): Promise<void> {
    const { signal } = this;
    if (signal.aborted || this.raw.write(text)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.onStalled();
        this.stop();
        this.raw.destroy();
      }, this.stallMs);
      const proceed = (): void => {
        clearTimeout(timer);
        this.raw.removeListener('drain', proceed);
        signal.removeEventListener('abort', proceed);
        resolve();
      };
      this.raw.once('drain', proceed);
      signal.addEventListener('abort', proceed, { once: true });
    });
  }

  /** A comment that keeps proxies from closing a quiet stream; left out while the client is behind. */
  beat(): void {
    if (!this.signal.aborted && !this.raw.writableNeedDrain) this.raw.write(': \n\n');
  }

  end(): void {
    this.raw.end();
  }

  /** Ends the stream and its connection, whether the client takes what is left or not: a server that stops waits for neither. */
  leave(): void {
    const late = setTimeout(() => this.raw.destroy(), LEAVE_MS);
    this.raw.once('close', () => clearTimeout(late));
    this.raw.end(() => this.raw.socket?.end());
  }
}
