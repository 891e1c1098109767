import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { MarkerOfConnection, WireMarker } from './wire-markers';

// Without anything that only a compiler can make: the fault runs load this file as it is (Node strips its types).

/** What happens to connections; `clear` takes it away again. */
export type NetworkFault =
  /** Nobody listens. */
  | { kind: 'refuse' }
  /** Open connections are reset, and new ones at once. */
  | { kind: 'reset' }
  /** Bytes arrive, and nothing comes back: the peer is there and silent. */
  | { kind: 'silent' }
  /** Each piece of an answer comes so many milliseconds later. */
  | { kind: 'slow'; milliseconds: number }
  /** An answer comes at this rate. */
  | { kind: 'bandwidth'; bytesPerSecond: number }
  /** An answer comes in pieces of so many bytes, each in a packet of its own. */
  | { kind: 'slice'; bytes: number }
  /** Each answer is cut after so many bytes, and the connection reset. */
  | { kind: 'cut'; bytes: number }
  /**
   * The first answer that `marker` knows, and all that its connection would say after it, does not arrive: `hold` leaves the connection open, `reset` ends
   * it. The server has acted and the client does not know. Connections that were opened before are watched as well.
   */
  | { kind: 'marked'; marker: WireMarker; ending: 'hold' | 'reset' };

const SLICE_MS = 1;

/** A TCP proxy on loopback between a client under test and a real server, in whose way faults can be put and removed. */
export class FaultProxy {
  readonly port: number;
  /** Connections that were made through it. */
  connections = 0;
  private fault?: NetworkFault;
  private met?: () => void;
  private readonly server: Server;
  private readonly target: { host: string; port: number };
  private readonly open = new Set<Socket>();
  private readonly pairs = new Set<Pair>();

  private constructor(server: Server, target: { host: string; port: number }, port: number) {
    this.server = server;
    this.target = target;
    this.port = port;
  }

  static async before(target: { host?: string; port: number }): Promise<FaultProxy> {
    const server = createServer();
    await listening(server, 0);
    const proxy = new FaultProxy(server, { host: target.host ?? '127.0.0.1', port: target.port }, (server.address() as AddressInfo).port);
    server.on('connection', (client) => proxy.accept(client));
    return proxy;
  }

  /** The same URL by way of the proxy. */
  static async beforeUrl(url: string): Promise<{ proxy: FaultProxy; url: string }> {
    const direct = new URL(url);
    const proxy = await FaultProxy.before({ host: direct.hostname, port: Number(direct.port) });
    direct.port = String(proxy.port);
    return { proxy, url: direct.href.replace(/\/$/, '') };
  }

  async put(fault: NetworkFault): Promise<void> {
    await this.clear();
    this.fault = fault;
    if (fault.kind === 'marked') for (const pair of this.pairs) pair.watch(fault.marker());
    if (fault.kind === 'refuse' || fault.kind === 'reset') this.resetAll();
    if (fault.kind === 'refuse') await new Promise((resolve) => this.server.close(resolve));
  }

  /** Puts a `marked` fault and resolves once its answer has been kept back; nothing is kept back after it. Rejects after `milliseconds`. */
  async marked(marker: WireMarker, ending: 'hold' | 'reset', milliseconds = 10_000): Promise<void> {
    await this.put({ kind: 'marked', marker, ending });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`The marked answer did not come within ${milliseconds} ms.`)), milliseconds);
      this.met = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Open connections that a fault held stay as they are; new ones work. */
  async clear(): Promise<void> {
    this.fault = undefined;
    for (const pair of this.pairs) pair.watch(undefined);
    if (!this.server.listening) await listening(this.server, this.port);
  }

  resetAll(): void {
    for (const socket of this.open) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    this.connections += 1;
    if (this.fault?.kind === 'reset') {
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.target);
    const pair = new Pair(client);
    if (this.fault?.kind === 'marked') pair.watch(this.fault.marker());
    this.pairs.add(pair);
    client.once('close', () => this.pairs.delete(pair));
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.open.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.open.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (bytes) => {
      pair.marker?.sent(bytes);
      server.write(bytes);
    });
    client.on('end', () => server.end());
    server.on('data', (bytes) => this.answer(pair, bytes));
    server.on('end', () => client.end());
  }

  private answer(pair: Pair, bytes: Buffer): void {
    const { fault } = this;
    const before = pair.answered;
    pair.answered += bytes.length;
    if (fault?.kind === 'silent' || pair.held) return;
    const marked = pair.marker?.received(bytes);
    if (fault?.kind === 'marked' && marked !== undefined) return this.keepBack(pair, fault.ending, bytes.subarray(0, marked));
    if (fault?.kind === 'cut' && before + bytes.length > fault.bytes) {
      pair.last(bytes.subarray(0, Math.max(0, fault.bytes - before)));
      return;
    }
    if (fault?.kind === 'slow') pair.later(bytes, fault.milliseconds);
    else if (fault?.kind === 'bandwidth') pair.inPieces(bytes, Math.max(1, Math.round(fault.bytesPerSecond / 100)), 10);
    else if (fault?.kind === 'slice') pair.inPieces(bytes, fault.bytes, SLICE_MS);
    else pair.now(bytes);
  }

  private keepBack(pair: Pair, ending: 'hold' | 'reset', bytes: Buffer): void {
    this.fault = undefined;
    for (const each of this.pairs) each.watch(undefined);
    if (ending === 'reset') pair.last(bytes);
    else {
      pair.held = true;
      if (bytes.length > 0) pair.client.write(bytes);
    }
    this.met?.();
  }
}

/** One connection through the proxy. */
class Pair {
  readonly client: Socket;
  marker?: MarkerOfConnection;
  held = false;
  answered = 0;
  /** Pieces that are on their way: what comes after them waits. */
  private queue: Promise<void> = Promise.resolve();
  private waiting = 0;

  constructor(client: Socket) {
    this.client = client;
  }

  watch(marker: MarkerOfConnection | undefined): void {
    this.marker = marker;
  }

  now(bytes: Buffer): void {
    if (this.waiting === 0) this.client.write(bytes);
    else this.later(bytes, 0);
  }

  last(bytes: Buffer): void {
    this.client.write(bytes, () => this.client.resetAndDestroy());
    if (bytes.length === 0) this.client.resetAndDestroy();
  }

  later(bytes: Buffer, milliseconds: number): void {
    this.waiting += 1;
    const due = performance.now() + milliseconds;
    this.queue = this.queue.then(async () => {
      await pause(due - performance.now());
      if (!this.client.destroyed) this.client.write(bytes);
      this.waiting -= 1;
    });
  }

  inPieces(bytes: Buffer, size: number, milliseconds: number): void {
    this.waiting += 1;
    this.queue = this.queue.then(async () => {
      for (let at = 0; at < bytes.length && !this.client.destroyed; at += size) {
        this.client.write(bytes.subarray(at, at + size));
        await pause(milliseconds);
      }
      this.waiting -= 1;
    });
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
