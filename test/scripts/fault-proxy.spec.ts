import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { FaultProxy } from '../support/fault-proxy';
import { answerNumber, commitAfter, publisherConfirm } from '../support/wire-markers';

/** Answers each thing that it is told with what `answer` makes of it. */
async function peer(answer: (told: Buffer, socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (told) => answer(Buffer.from(told), socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

/** A client that remembers what it heard. */
class Caller {
  heard = Buffer.alloc(0);
  pieces: { bytes: number; at: number }[] = [];
  ended: Promise<'closed' | 'reset'>;

  constructor(readonly socket: Socket) {
    socket.on('data', (bytes) => {
      this.heard = Buffer.concat([this.heard, Buffer.from(bytes)]);
      this.pieces.push({ bytes: bytes.length, at: performance.now() });
    });
    let isReset = false;
    socket.on('error', () => (isReset = true));
    this.ended = new Promise((resolve) => socket.on('close', () => resolve(isReset ? 'reset' : 'closed')));
  }

  static async through({ port }: { port: number }): Promise<Caller> {
    const socket = connect(port, '127.0.0.1');
    const caller = new Caller(socket);
    await once(socket, 'connect');
    return caller;
  }

  say(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  async hears(count: number): Promise<void> {
    while (this.heard.length < count) await once(this.socket, 'data');
  }
}

const message = (type: string, content: string): Buffer => {
  const bytes = Buffer.alloc(5 + content.length);
  bytes.write(type, 0, 'latin1');
  bytes.writeUInt32BE(4 + content.length, 1);
  bytes.write(content, 5, 'latin1');
  return bytes;
};
const completed = (tag: string, status: string): Buffer => Buffer.concat([message('C', `${tag}\0`), message('Z', status)]);

const amqpMethod = (group: number, method: number): Buffer => {
  const frame = Buffer.alloc(7 + 4 + 1);
  frame[0] = 1;
  frame.writeUInt16BE(1, 1);
  frame.writeUInt32BE(4, 3);
  frame.writeUInt16BE(group, 7);
  frame.writeUInt16BE(method, 9);
  frame[11] = 0xce;
  return frame;
};

describe('the fault proxy', () => {
  let server: Server;
  let proxy: FaultProxy;
  async function before(answer: (told: Buffer, socket: Socket) => void): Promise<void> {
    const made = await peer(answer);
    server = made.server;
    proxy = await FaultProxy.before({ port: made.port });
  }
  const echo = (told: Buffer, socket: Socket): void => void socket.write(told);
  afterEach(async () => {
    await proxy.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('passes everything on when nothing is in the way', async () => {
    await before(echo);
    const caller = await Caller.through(proxy);
    caller.say('hello');
    await caller.hears(5);
    expect(caller.heard.toString()).toBe('hello');
    caller.socket.end();
    expect(await caller.ended).toBe('closed');
  });

  it('refuses, and listens again when that is over', async () => {
    await before(echo);
    const caller = await Caller.through(proxy);
    await proxy.put({ kind: 'refuse' });
    expect(await caller.ended).toBe('reset');
    const [error] = (await once(connect(proxy.port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    await proxy.clear();
    const other = await Caller.through(proxy);
    other.say('x');
    await other.hears(1);
  });

  it('resets', async () => {
    await before(echo);
    const caller = await Caller.through(proxy);
    caller.say('x');
    await caller.hears(1);
    await proxy.put({ kind: 'reset' });
    expect(await caller.ended).toBe('reset');
  });

  it('delays each piece, in their order', async () => {
    await before(echo);
    await proxy.put({ kind: 'slow', milliseconds: 60 });
    const caller = await Caller.through(proxy);
    const from = performance.now();
    caller.say('a');
    await caller.hears(1);
    caller.say('b');
    await caller.hears(2);
    // Two pieces, each at least so late: never less, however busy the machine is.
    expect(performance.now() - from).toBeGreaterThanOrEqual(115);
    expect(caller.heard.toString()).toBe('ab');
  });

  it('lets bytes through at a rate', async () => {
    await before(echo);
    await proxy.put({ kind: 'bandwidth', bytesPerSecond: 10_000 });
    const caller = await Caller.through(proxy);
    const from = performance.now();
    caller.say(Buffer.alloc(2_000, 7));
    await caller.hears(2_000);
    expect(performance.now() - from).toBeGreaterThanOrEqual(180);
  });

  it('slices', async () => {
    await before(echo);
    await proxy.put({ kind: 'slice', bytes: 1 });
    const caller = await Caller.through(proxy);
    caller.say('sliced');
    await caller.hears(6);
    expect(caller.heard.toString()).toBe('sliced');
    expect(caller.pieces.length).toBeGreaterThan(1);
  });

  it('cuts after exactly so many bytes', async () => {
    await before(echo);
    await proxy.put({ kind: 'cut', bytes: 7 });
    const caller = await Caller.through(proxy);
    caller.say('one two three');
    expect(await caller.ended).toBe('reset');
    expect(caller.heard.toString()).toBe('one two');
  });

  it('keeps a COMMIT back that the server has done, however its bytes were cut', async () => {
    const done: string[] = [];
    await before((told, socket) => {
      const text = told.toString();
      done.push(text);
      if (text.includes('BEGIN')) socket.write(completed('BEGIN', 'T'));
      else if (text.includes('COMMIT')) for (const byte of completed('COMMIT', 'I')) socket.write(Buffer.from([byte]));
      else socket.write(completed('INSERT 0 1', text.includes('alone') ? 'I' : 'T'));
    });
    const caller = await Caller.through(proxy);
    const kept = proxy.marked(commitAfter('INSERT INTO jobs'), 'reset');
    caller.say('BEGIN');
    await caller.hears(completed('BEGIN', 'T').length);
    caller.say('INSERT INTO jobs VALUES (1)');
    await caller.hears(completed('BEGIN', 'T').length + completed('INSERT 0 1', 'T').length);
    caller.say('COMMIT');
    await kept;
    expect(await caller.ended).toBe('reset');
    expect(done.at(-1)).toBe('COMMIT');
    expect(caller.heard.toString('latin1')).not.toContain('COMMIT');
    expect(caller.heard.toString('latin1')).toContain('INSERT 0 1');
  });

  it('keeps the completion of a statement back that is its own transaction, and of no other statement', async () => {
    await before((_, socket) => void socket.write(completed('INSERT 0 1', 'I')));
    const caller = await Caller.through(proxy);
    const kept = proxy.marked(commitAfter('INTO documents'), 'hold');
    caller.say('INSERT INTO others');
    await caller.hears(completed('INSERT 0 1', 'I').length);
    caller.say('INSERT INTO documents');
    await kept;
    expect(caller.heard.length).toBe(completed('INSERT 0 1', 'I').length);
    expect(caller.socket.destroyed).toBe(false);
  });

  it('keeps the answer of message M back', async () => {
    await before((_, socket) => void socket.write(completed('SELECT 1', 'I')));
    const caller = await Caller.through(proxy);
    const kept = proxy.marked(answerNumber(3), 'hold');
    const size = completed('SELECT 1', 'I').length;
    for (const count of [1, 2]) {
      caller.say('SELECT 1');
      await caller.hears(size * count);
    }
    caller.say('SELECT 1');
    await kept;
    expect(caller.heard.length).toBeLessThan(size * 3);
  });

  it("keeps a broker's confirm back, and no other frame", async () => {
    await before((told, socket) => void socket.write(told.toString() === 'publish' ? amqpMethod(60, 80) : amqpMethod(50, 11)));
    const caller = await Caller.through(proxy);
    const kept = proxy.marked(publisherConfirm, 'reset');
    caller.say('declare');
    await caller.hears(12);
    caller.say('publish');
    await kept;
    expect(await caller.ended).toBe('reset');
    expect(caller.heard).toEqual(amqpMethod(50, 11));
  });

  it('says so when the marked answer does not come', async () => {
    await before(echo);
    await expect(proxy.marked(publisherConfirm, 'reset', 30)).rejects.toThrow('did not come within 30 ms');
  });
});
