import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Models } from '@features/models';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { ModelCard } from '@kernel/models';
import type { FastifyReply } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { embeddingsBody, embeddingsSchema, type EmbeddingsBody } from './embeddings.schema';
import { embeddingsText } from './embeddings-text';
import { ModelCalls } from './model-calls.service';
import { ServedModels } from './served-models.service';

/** Embeddings in OpenAI's form. */
@ApiTags('openai')
@Controller('v1/embeddings')
export class EmbeddingsController {
  constructor(
    private readonly served: ServedModels,
    private readonly models: Models,
    private readonly calls: ModelCalls,
  ) {}

  @Post()
  @HttpCode(200)
  @Access('chat')
  @ApiOperation({ summary: 'Embed one text or many.' })
  @Answers(200, embeddingsSchema, 'One unit-length vector for each text, in order.')
  @Problems('not_found', 'unavailable', 'timeout')
  async create(
    @Body({ schema: embeddingsBody }) body: EmbeddingsBody,
    @Caller() principal: Principal,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.calls.run({ reply, principal, input: 'input' }, async (watch, account) => {
      const card = await this.served.resolve(body.model, 'embedding');
      checkDimensions(body, card);
      const request = {
        model: card.id,
        texts: [body.input].flat(),
        input: body.input_type ?? ('document' as const),
        signal: watch.signal,
        onTokens: () => watch.begun(),
      };
      const answer = await this.models.embed(request, account);
      const text = await embeddingsText(answer, card, body.encoding_format === 'base64');
      await reply.type('application/json; charset=utf-8').send(text);
    });
  }
}

function checkDimensions({ dimensions }: EmbeddingsBody, card: ModelCard): void {
  const own = card.embedding?.dimensions;
  if (typeof dimensions !== 'number' || dimensions === own) return;
  throw AppError.field('invalid', 'dimensions', `${card.id} has ${own} dimensions and no others.`);
}
