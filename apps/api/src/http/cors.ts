import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';

type CorsOptions = NonNullable<Parameters<NestFastifyApplication['enableCors']>[0]>;

const EXPOSED_HEADERS = [
  'Location',
  'ETag',
  'Retry-After',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'x-request-id',
  'Idempotent-Replayed',
];

/** Pages of the listed origins may call the API, without credentials of the browser's own. What is no preflight of them is routed like anything else. */
export function corsOptions(origins: readonly string[]): CorsOptions {
  const known = new Set(origins);
  return {
    delegator: (request: FastifyRequest, callback) => {
      const ours = known.has(request.headers.origin ?? '');
      const preflight = ours && request.headers['access-control-request-method'] !== undefined;
      callback(null, {
        origin: [...origins],
        ...(ours ? { exposedHeaders: EXPOSED_HEADERS } : {}),
        maxAge: 600,
        methods: 'GET,HEAD,POST,PUT,PATCH,DELETE',
        preflight,
      });
    },
  } as CorsOptions;
}
