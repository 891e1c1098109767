import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import { FrameWriter } from './frame-writer';

class Raw extends EventEmitter {
  readonly writes: string[] = [];
  writableNeedDrain = false;
  destroyed = false;
  headers: Record<string, unknown> = {};

  setHeader(name: string, value: unknown): void {
    this.headers[name] = value;
  }

  writeHead(): void {}

  write(text: string): boolean {
    this.writes.push(text);
    return !this.writableNeedDrain;
  }

  end(): void {
    this.emit('close');
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function writerOver(raw: Raw, stallMs?: number): FrameWriter {
  const reply = { raw, hijack: () => undefined, getHeaders: () => ({ 'x-request-id': 'r' }) };
  return new FrameWriter(reply as unknown as FastifyReply, stallMs);
}

describe('FrameWriter', () => {
  it('writes what comes in one turn at once, and what comes later apart', async () => {
    const raw = new Raw();
    const writer = writerOver(raw);
    writer.open();
    expect(raw.headers).toMatchObject({ 'x-request-id': 'r', 'content-type': 'text/event-stream; charset=utf-8' });
    writer.push('a');
    writer.push('b');
    expect(raw.writes).toEqual([]);
    await new Promise(setImmediate);
    writer.push('c');
    writer.end();
    expect(raw.writes).toEqual(['ab', 'c']);
  });

  it('waits for a client that is behind until it takes more', async () => {
    const raw = new Raw();
    raw.writableNeedDrain = true;
    let ready = false;
    const waiting = writerOver(raw)
      .ready()
      .then(() => (ready = true));
    await new Promise(setImmediate);
    expect(ready).toBe(false);
    raw.emit('drain');
    await waiting;
    expect(raw.listenerCount('drain') + raw.listenerCount('close')).toBe(0);
  });

  it('gives up a client that takes nothing', async () => {
    const raw = new Raw();
    raw.writableNeedDrain = true;
    await writerOver(raw, 1).ready();
    expect(raw.destroyed).toBe(true);
  });
});
