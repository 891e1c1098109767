import { connect, createServer } from 'node:net';

/** Bytes after which a connection is cut inside an event as often as between two, and milliseconds after which it is dropped. */
const MOST_BYTES = 12_000;
const MOST_MS = 1_500;

const KINDS = ['drop', 'reset', 'bytes'];

/** Chooses for each connection how it ends: its client goes, it is reset on the way, or it is cut after byte N. `on()`: whether any is cut at all. */
export class Cuts {
  constructor({ random, on }) {
    Object.assign(this, { random, on });
  }

  /** See Follower. */
  async prepare(origin) {
    if (!this.on()) return { origin };
    const kind = KINDS[Math.floor(this.random() * KINDS.length)];
    let cutOff;
    const onCut = () => (cutOff = kind);
    const broken = () => cutOff;
    const milliseconds = this.random() * MOST_MS;
    if (kind === 'drop') return { origin, broken, cut: (socket) => dropLater(socket, milliseconds, onCut) };
    const bytes = kind === 'bytes' ? 1 + Math.floor(this.random() * MOST_BYTES) : Number.POSITIVE_INFINITY;
    const way = await Way.to(new URL(origin), bytes, onCut);
    const timer = kind === 'reset' ? setTimeout(() => way.reset(), milliseconds) : undefined;
    const done = () => {
      clearTimeout(timer);
      way.close();
    };
    return { origin: way.origin, broken, done };
  }
}

function dropLater(socket, milliseconds, onCut) {
  const timer = setTimeout(() => {
    onCut();
    socket.destroy();
  }, milliseconds);
  socket.once('close', () => clearTimeout(timer));
}

/** A way of one connection to a server, which can be reset, or cuts what comes back after so many bytes. */
class Way {
  static async to(target, bytes, onCut) {
    const way = new Way();
    way.onCut = onCut;
    way.server = createServer((client) => way.#join(client, connect(Number(target.port), target.hostname), bytes));
    await new Promise((resolve) => way.server.listen(0, '127.0.0.1', resolve));
    way.origin = `http://127.0.0.1:${way.server.address().port}`;
    return way;
  }

  reset() {
    if (this.client === undefined || this.client.destroyed) return;
    this.onCut();
    this.client.resetAndDestroy();
    this.peer.resetAndDestroy();
  }

  close() {
    this.server.close();
    this.client?.destroy();
    this.peer?.destroy();
  }

  #join(client, peer, bytes) {
    Object.assign(this, { client, peer });
    for (const [socket, other] of [
      [client, peer],
      [peer, client],
    ]) {
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
    client.pipe(peer);
    let passed = 0;
    peer.on('data', (piece) => {
      if (passed + piece.length <= bytes) {
        passed += piece.length;
        client.write(piece);
        return;
      }
      client.write(piece.subarray(0, bytes - passed), () => this.reset());
      peer.pause();
    });
    peer.on('end', () => client.end());
  }
}
