import type { Readiness } from '@features/health';
import type { FastifyInstance } from 'fastify';

/**
 * From the beginning of a drain every answer says that it is the last on its connection. Gateways and clients that keep connections open go elsewhere then,
 * and none of them sends a request into a connection that the server closes in the same moment.
 */
export function leaveConnections(instance: FastifyInstance, readiness: Pick<Readiness, 'draining'>): void {
  instance.addHook('onSend', (_request, reply, payload, done) => {
    if (readiness.draining) void reply.header('connection', 'close');
    done(null, payload);
  });
}
