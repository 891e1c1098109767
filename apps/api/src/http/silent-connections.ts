import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** What was sent just before the close gets this long to arrive. */
const GRACE_MS = 500;

/**
 * Closes connections on which nothing was ever asked, when the server closes: browsers and clients open them ahead, Node does not count them
 * as idle, and each would hold the shutdown up until it times out.
 */
export function closeSilentConnections(server: Server, onClose: (close: () => void) => void): void {
  const silent = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', (request) => silent.delete(request.socket));
  onClose(() => {
    setTimeout(() => {
      for (const socket of silent) socket.destroy();
    }, GRACE_MS).unref();
  });
}
