import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { FastifyReply } from 'fastify';
import { openAiErrorOf } from '../http/openai-error';
import { knownError } from '../http/problem';
import type { CallWatch } from './call-watch';
import { CompletionFrames } from './completion-frames';
import { FrameWriter } from './frame-writer';

/**
 * Sends an answer as an event stream. The headers go out when the first part is there, so that whatever fails before is an ordinary error answer;
 * what fails later is said in the stream, which then ends without `[DONE]`.
 */
@Injectable()
export class AnswerStream {
  private readonly logger = new Logger(AnswerStream.name);

  async send<Part>(
    reply: FastifyReply,
    watch: CallWatch,
    parts: AsyncGenerator<Part, void>,
    framesOf: (part: Part, first: boolean) => string,
  ): Promise<void> {
    let next = await parts.next();
    const writer = new FrameWriter(reply);
    writer.open();
    try {
      for (let first = true; next.done !== true; next = await parts.next()) {
        writer.push(framesOf(next.value, first));
        first = false;
        await writer.ready();
      }
      writer.push(CompletionFrames.done);
    } catch (error) {
      this.sayBroken(writer, watch, error);
    } finally {
      await parts.return();
      writer.end();
    }
  }

  private sayBroken(writer: FrameWriter, watch: CallWatch, error: unknown): void {
    if (watch.gone) return;
    const cause = watch.causeOf(error);
    const known = knownError(cause) ?? new AppError('internal', 'Something went wrong here. The request id finds it in the log.');
    if (known.code === 'internal') this.logger.error(cause instanceof Error ? cause : new Error(String(cause)));
    writer.push(CompletionFrames.error(openAiErrorOf(known)));
  }
}
