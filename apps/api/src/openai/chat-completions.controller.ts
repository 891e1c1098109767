import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { AppConfig } from '@kernel/config';
import type { Principal } from '@kernel/identity';
import type { FastifyReply } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { AnswerStream } from './answer-stream.service';
import { ChatAnswers } from './chat-answers.service';
import { ChatCompletionView } from './chat-completion-view';
import { chatCompletionBody, chatCompletionSchema, type ChatCompletionBody } from './chat-completions.schema';
import { ModelCalls } from './model-calls.service';
import { ServedModels } from './served-models.service';

/** Chat in OpenAI's form. */
@ApiTags('openai')
@Controller('v1/chat/completions')
export class ChatCompletionsController {
  constructor(
    private readonly models: ServedModels,
    private readonly answers: ChatAnswers,
    private readonly calls: ModelCalls,
    private readonly stream: AnswerStream,
    private readonly config: AppConfig,
  ) {}

  @Post()
  @HttpCode(200)
  @Access('chat')
  @ApiOperation({ summary: 'Answer a conversation; with `stream` as an event stream of chunks that ends with `[DONE]`.' })
  @ApiProduces('application/json', 'text/event-stream')
  @Answers(200, chatCompletionSchema, 'The answer.')
  @Problems('not_found', 'unavailable', 'timeout')
  async create(
    @Body({ schema: chatCompletionBody }) body: ChatCompletionBody,
    @Caller() principal: Principal,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.calls.run({ reply, principal, input: 'messages' }, async (watch, account) => {
      const card = await this.models.resolve(body.model, 'chat');
      const parts = await this.answers.open({ body, card, account, watch });
      const view = new ChatCompletionView(card, `${this.config.http.publicUrl}/api/v1/documents`);
      if (body.stream === true) await this.stream.send(reply, watch, parts, view.chunks(body.stream_options?.include_usage === true));
      else await reply.send(await view.whole(parts));
    });
  }
}
