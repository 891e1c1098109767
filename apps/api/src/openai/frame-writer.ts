import type { FastifyReply } from 'fastify';

/** Milliseconds after which a client that takes nothing is given up. */
const STALL_MS = 30_000;

/**
 * Writes an event stream on the raw response: all that comes in one turn of the event loop goes out in one write. Nothing is queued for a client
 * that is behind: `ready` waits for it.
 */
export class FrameWriter {
  private pending = '';

  constructor(
    private readonly reply: FastifyReply,
    private readonly stallMs = STALL_MS,
  ) {}

  /** Takes the response over from the framework and sends its headers. */
  open(): void {
    const { reply } = this;
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value);
    reply.raw.setHeader('content-type', 'text/event-stream; charset=utf-8');
    reply.raw.setHeader('x-accel-buffering', 'no');
    reply.raw.writeHead(200);
  }

  push(frame: string): void {
    if (this.pending === '') process.nextTick(() => this.flush());
    this.pending += frame;
  }

  /** Resolves when the client may be given more, or is gone. */
  async ready(): Promise<void> {
    const { raw } = this.reply;
    if (!raw.writableNeedDrain || raw.destroyed) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => raw.destroy(), this.stallMs);
      const proceed = (): void => {
        clearTimeout(late);
        raw.off('drain', proceed);
        raw.off('close', proceed);
        resolve();
      };
      raw.on('drain', proceed);
      raw.on('close', proceed);
    });
  }

  end(): void {
    this.flush();
    this.reply.raw.end();
  }

  private flush(): void {
    const text = this.pending;
    this.pending = '';
    if (text !== '' && !this.reply.raw.destroyed) this.reply.raw.write(text);
  }
}
