import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isOpenAi, openAiErrorOf, openAiHeaders, openAiStatus } from './openai-error';
import { knownError, problemHeaders, problemOf } from './problem';

/** Turns every error of a request into a problem document, or into OpenAI's form under `/v1`. What is not ours becomes `internal`: its words and stack go to the log only. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const known = knownError(error) ?? new AppError('internal', 'Something went wrong here. The request id finds it in the log.');
    if (known.code === 'internal')
      this.logger.error(error instanceof Error ? error.message : String(error), error instanceof Error ? error.stack : undefined);
    if (reply.sent || reply.raw.headersSent) {
      // A stream has begun: nothing can be said any more but that it is not complete.
      reply.raw.destroy();
      return;
    }
    const openAi = isOpenAi(request);
    void reply
      .code(openAi ? openAiStatus(known) : known.status)
      .headers(openAi ? openAiHeaders(known) : problemHeaders(known))
      .send(JSON.stringify(openAi ? openAiErrorOf(known) : problemOf(known, request.id)));
  }
}
