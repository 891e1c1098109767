import { AppError } from '@kernel/errors';
import type { FastifyReply } from 'fastify';

/** Aborts when the caller goes away before the answer is sent: a model works for nobody else. */
export function closedSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new AppError('cancelled', 'The caller has gone.'));
  });
  return controller.signal;
}
