import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What was sent just before the close gets this long to arrive. */
const GRACE_MS = 500;

/**
 * Closes connections that would hold the shutdown up until they time out, when the server closes: those on which nothing was ever asked (browsers
 * and clients open them ahead, Node does not count them as idle), and those whose request is being answered, as soon as it is.
 */
export function closeSilentConnections(server: Server, onClose: (close: () => void) => void): void {
  const silent = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  const answers = new Set<ServerResponse>();
  server.on('request', (request, answer) => {
    silent.delete(request.socket);
    answers.add(answer);
    answer.once('close', () => answers.delete(answer));
  });
  onClose(() => {
    for (const answer of answers) {
      answer.shouldKeepAlive = false;
      // Its headers may have promised to keep it.
      answer.once('finish', () => answer.req.socket.destroySoon());
    }
    setTimeout(() => {
      for (const socket of silent) socket.destroy();
    }, GRACE_MS).unref();
  });
}
