import { AppError } from '@kernel/errors';
import type { FastifyInstance, HTTPMethods } from 'fastify';
import type { RouteMarks } from './access.decorator';

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * Collects the methods of every path while routes are registered, then answers the missing ones with 405 and `Allow`
 * (a router by itself answers 404, as if the path did not exist).
 */
export class MethodRoutes {
  private readonly paths = new Map<string, Set<string>>();

  constructor(private readonly instance: FastifyInstance) {
    instance.addHook('onRoute', ({ url, method }) => {
      const known = this.paths.get(url) ?? new Set();
      for (const name of [method].flat()) known.add(name);
      this.paths.set(url, known);
    });
  }

  /** After every other route was registered. */
  complete(): void {
    for (const [url, known] of [...this.paths]) {
      const missing = METHODS.filter((method) => !known.has(method));
      if (missing.length === 0 || url === '*') continue;
      const allow = [...known].sort().join(', ');
      this.instance.route({
        url,
        method: missing,
        exposeHeadRoute: false,
        config: { access: { public: true }, methodNotAllowed: true } satisfies RouteMarks & { methodNotAllowed: true },
        handler: (request, reply) => {
          void reply.header('allow', allow);
          throw new AppError('method_not_allowed', `${request.method} is not allowed here, only ${allow}.`);
        },
      });
    }
  }
}
