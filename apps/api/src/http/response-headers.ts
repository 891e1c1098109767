import type { FastifyReply, FastifyRequest } from 'fastify';

const COMMON = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
};

/** Headers of every answer, put on the raw response so that streams written past Fastify carry them too; a route's own headers win. */
export function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  for (const [name, value] of Object.entries(COMMON)) reply.raw.setHeader(name, value);
  reply.raw.setHeader('x-request-id', request.id);
}
