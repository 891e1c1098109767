import { AppError } from '@kernel/errors';
import type { FastifyRequest } from 'fastify';

/** The token or key of a request. Errors: `unauthenticated`. */
export function bearerOf(request: FastifyRequest): string {
  const match = /^Bearer +([\x21-\x7e]{1,4096})$/i.exec(request.headers.authorization ?? '');
  if (match?.[1] === undefined) throw new AppError('unauthenticated', 'A bearer token or API key is required: "Authorization: Bearer …".');
  return match[1];
}
