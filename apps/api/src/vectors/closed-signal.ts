import { AppError } from '@kernel/errors';
import type { FastifyReply } from 'fastify';

/** Aborts when the caller goes away before the answer is sent: a model works for nobody else. */
export function closedSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const closed = (): void => {
    if (!reply.raw.writableFinished) controller.abort(new AppError('cancelled', 'The caller has gone.'));
  };
  reply.raw.once('close', closed);
  // Who left while his body was read has been told of already.
  if (reply.request.raw.socket.destroyed) closed();
  return controller.signal;
}
