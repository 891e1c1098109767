import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { JOB_EVENTS } from '@kernel/jobs';
import * as fc from 'fast-check';
import { encodeEvents, EventStream, lastSeen } from './event-stream';

interface Parsed {
  id: string;
  event: string;
  data: string;
}

/** The parser of the standard (WHATWG HTML, 9.2.6), over any split of the bytes. */
function parse(stream: string): Parsed[] {
  const parsed: Parsed[] = [];
  let [id, event, data] = ['', '', ''];
  for (const line of stream.split(/\r\n|\r|\n/)) {
    if (line === '') {
      if (data !== '') parsed.push({ id, event, data: data.replace(/\n$/, '') });
      [event, data] = ['', ''];
      continue;
    }
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'id') id = value;
    if (field === 'event') event = value;
    if (field === 'data') data += `${value}\n`;
  }
  return parsed;
}

const events = fc.array(
  fc.record({
    seq: fc.integer({ min: 1, max: 999_999_999 }),
    event: fc.constantFrom(...JOB_EVENTS),
    data: fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' })),
  }),
);

describe('encodeEvents', () => {
  it('gives every event back through the parser of the standard', () => {
    fc.assert(
      fc.property(events, (list) => {
        const parsed = parse(encodeEvents(list)).map(({ id, event, data }) => ({
          seq: Number(id),
          event,
          data: JSON.parse(data) as object,
        }));
        expect(parsed).toEqual(JSON.parse(JSON.stringify(list)));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('lastSeen', () => {
  it('takes the header over the query, and 0 without both', () => {
    expect([lastSeen(undefined, undefined), lastSeen(undefined, '7'), lastSeen('9', '7'), lastSeen('', '7')]).toEqual([
      { after: 0, field: 'after' },
      { after: 7, field: 'after' },
      { after: 9, field: 'Last-Event-ID' },
      { after: 7, field: 'after' },
    ]);
  });

  it.each(['x', '-1', '1.5', '1 ', '0x1', '9999999999', ['1', '2']])('refuses %p', (header) => {
    expect(() => lastSeen(header, undefined)).toThrow(
      expect.objectContaining({ code: 'invalid', errors: [{ path: 'Last-Event-ID', message: expect.any(String) }] }),
    );
  });
});

/** A response of which the test decides how much it takes. */
class Client extends EventEmitter {
  taken = '';
  full = false;
  destroyed = false;
  socketEnded = false;
  flushed?: () => void;
  readonly socket = { end: () => (this.socketEnded = true) };
  end(flushed: () => void): void {
    this.flushed = flushed;
  }
  get writableNeedDrain(): boolean {
    return this.full;
  }
  write(text: string): boolean {
    this.taken += text;
    return !this.full;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

describe('EventStream', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  function bench() {
    const client = new Client();
    const stalled = jest.fn();
    return { client, stalled, stream: new EventStream(client as unknown as ServerResponse, 30_000, stalled) };
  }

  it('waits for a client that is behind, and sends no heartbeat meanwhile', async () => {
    const { client, stream } = bench();
    client.full = true;
    let written = false;
    const writing = stream.write('a').then(() => (written = true));
    stream.beat();
    await jest.advanceTimersByTimeAsync(29_000);
    expect(written).toBe(false);
    client.full = false;
    client.emit('drain');
    await writing;
    stream.beat();
    await jest.advanceTimersByTimeAsync(30_000);
    expect(client).toMatchObject({ taken: 'a: \n\n', destroyed: false });
  });

  it('drops a client that takes nothing for 30 s', async () => {
    const { client, stalled, stream } = bench();
    client.full = true;
    const writing = stream.write('a');
    await jest.advanceTimersByTimeAsync(30_000);
    await writing;
    expect(client.destroyed).toBe(true);
    expect(stream.signal.aborted).toBe(true);
    expect(stalled).toHaveBeenCalledTimes(1);
  });

  it('leaves a client that does not take the rest', async () => {
    const { client, stream } = bench();
    stream.leave();
    await jest.advanceTimersByTimeAsync(999);
    expect(client.destroyed).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(client.destroyed).toBe(true);
  });

  it('closes the connection of a client that took everything', async () => {
    const { client, stream } = bench();
    stream.leave();
    client.flushed?.();
    expect(client.socketEnded).toBe(true);
    client.emit('close');
    await jest.advanceTimersByTimeAsync(2_000);
    expect(client.destroyed).toBe(false);
  });

  it('stops at once when the client goes', async () => {
    const { client, stalled, stream } = bench();
    client.full = true;
    const writing = stream.write('a');
    client.emit('close');
    await writing;
    expect(stream.signal.aborted).toBe(true);
    expect(stalled).not.toHaveBeenCalled();
    await stream.write('b');
    expect(client.taken).toBe('a');
  });
});
