import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';

/** What the `onRequest` hook leaves on the request. */
export interface AuthenticatedRequest {
  id: string;
  principal?: Principal;
}

/** The principal of the request; only on routes marked with `Access`. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
  if (request.principal === undefined) throw new AppError('unauthenticated', 'A bearer token is required.');
  return request.principal;
});
