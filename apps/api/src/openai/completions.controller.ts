import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { Principal } from '@kernel/identity';
import type { FastifyReply } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { AnswerStream } from './answer-stream.service';
import { CompletionView } from './completion-view';
import { completionBody, completionSchema, type CompletionBody } from './completions.schema';
import { ModelCalls } from './model-calls.service';
import { ServedModels } from './served-models.service';
import { TextCompletions } from './text-completions.service';

/** Plain completion in OpenAI's form: a text is continued as it is. */
@ApiTags('openai')
@Controller('v1/completions')
export class CompletionsController {
  constructor(
    private readonly models: ServedModels,
    private readonly completions: TextCompletions,
    private readonly calls: ModelCalls,
    private readonly stream: AnswerStream,
  ) {}

  @Post()
  @HttpCode(200)
  @Access('chat')
  @ApiOperation({ summary: 'Continue a text; with `stream` as an event stream of chunks that ends with `[DONE]`.' })
  @ApiProduces('application/json', 'text/event-stream')
  @Answers(200, completionSchema, 'The continuations.')
  @Problems('not_found', 'unavailable', 'timeout')
  async create(
    @Body({ schema: completionBody }) body: CompletionBody,
    @Caller() principal: Principal,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.calls.run({ reply, principal, input: 'prompt' }, async (watch, account) => {
      const card = await this.models.resolve(body.model, 'chat', 'completion');
      const parts = this.completions.open({ body, card, account, watch });
      const view = new CompletionView(card, [body.prompt].flat().length);
      if (body.stream === true) await this.stream.send(reply, watch, parts, view.chunks(body.stream_options?.include_usage === true));
      else await reply.send(await view.whole(parts));
    });
  }
}
