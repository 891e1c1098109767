import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { FastifyInstance, HTTPMethods } from 'fastify';
import type { RouteMarks } from './access.decorator';

export interface Route {
  method: string;
  url: string;
  marks: RouteMarks;
}

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * The routes as the router really has them. The methods that a path lacks are answered with 405 and `Allow`; a router by itself answers 404,
 * as if the path did not exist.
 */
@Injectable()
export class RouteTable {
  /** Every route that a handler serves, without the 405 answers. */
  readonly routes: Route[] = [];
  private complete = false;

  /** Before the first route is registered. */
  watch(instance: FastifyInstance): void {
    instance.addHook('onRoute', ({ url, method, config }) => {
      if (this.complete || url === '*') return;
      for (const name of [method].flat()) this.routes.push({ method: name, url, marks: (config ?? {}) as RouteMarks });
    });
  }

  /** After the last route was registered. */
  refuseOtherMethods(instance: FastifyInstance): void {
    this.complete = true;
    for (const url of new Set(this.routes.map((route) => route.url))) {
      const known = new Set(this.routes.filter((route) => matches(route.url, url)).map(({ method }) => method));
      const allow = [...known].sort().join(', ');
      instance.route({
        url,
        method: METHODS.filter((method) => !known.has(method)),
        exposeHeadRoute: false,
        config: { access: { public: true } } satisfies RouteMarks,
        // Before the body, whose fault does not matter any more.
        onRequest: async (request, reply) => {
          void reply.header('allow', allow);
          throw new AppError('method_not_allowed', `${request.method} is not allowed here, only ${allow}.`);
        },
        handler: () => undefined,
      });
    }
  }
}

/** Whether the router would lead `url` to `pattern` where it has no route of its own: `/points/:id` answers GET for `/points/count` too. */
function matches(pattern: string, url: string): boolean {
  const parts = url.split('/');
  const wanted = pattern.split('/');
  return (
    wanted.length === parts.length &&
    wanted.every((part, at) => part === parts[at] || (part.startsWith(':') && parts[at]?.startsWith(':') === false))
  );
}
