import type { FastifyInstance } from 'fastify';
import type { RouteMarks } from '../http/access.decorator';
import type { IdempotentRequests } from './idempotent-requests.service';

/** Around the handlers of all routes that make something; the others are left as they are. */
export function registerIdempotency(instance: FastifyInstance, requests: IdempotentRequests): void {
  instance.addHook('onRoute', (route) => {
    if ((route.config as RouteMarks | undefined)?.creates === undefined) return;
    route.preHandler = [
      async (request, reply) => requests.prepare(request, reply),
      // In the asynchronous context that this one has, and in the request's own.
      (request, _reply, done) => requests.within(request, () => done()),
    ];
    route.onSend = [(request, reply, payload) => requests.finish(request, reply, payload)];
  });
}
