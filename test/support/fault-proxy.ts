import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

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
  /** Each answer is cut after so many bytes, and the connection reset. */
  | { kind: 'cut'; bytes: number };

/** A TCP proxy on loopback between a client under test and a real server, in whose way faults can be put and removed. */
export class FaultProxy {
  private fault?: NetworkFault;
  private readonly open = new Set<Socket>();
  /** Connections that were made through it. */
  connections = 0;

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
    readonly port: number,
  ) {}

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
    if (fault.kind === 'refuse' || fault.kind === 'reset') this.resetAll();
    if (fault.kind === 'refuse') await new Promise((resolve) => this.server.close(resolve));
  }

  /** Open connections that a fault held stay as they are; new ones work. */
  async clear(): Promise<void> {
    this.fault = undefined;
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
    client.on('data', (bytes) => server.write(bytes));
    client.on('end', () => server.end());
    let answered = 0;
    server.on('data', (bytes) => {
      this.answer(client, bytes, answered);
      answered += bytes.length;
    });
    server.on('end', () => client.end());
  }

  private answer(client: Socket, bytes: Buffer, before: number): void {
    const { fault } = this;
    if (fault?.kind === 'silent') return;
    if (fault?.kind === 'slow') {
      setTimeout(() => client.destroyed || client.write(bytes), fault.milliseconds);
      return;
    }
    if (fault?.kind === 'cut' && before + bytes.length > fault.bytes) {
      client.write(bytes.subarray(0, Math.max(0, fault.bytes - before)), () => client.resetAndDestroy());
      return;
    }
    client.write(bytes);
  }
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
