import { Module } from '@nestjs/common';
import { ChatModule } from '@features/chat';
import { ModelsModule } from '@features/models';
import { VectorsModule } from '@features/vectors';
import { AnswerStream } from './answer-stream.service';
import { ChatAnswers } from './chat-answers.service';
import { ChatCompletionsController } from './chat-completions.controller';
import { CompletionsController } from './completions.controller';
import { EmbeddingsController } from './embeddings.controller';
import { GroundedCompletions } from './grounded-completions.service';
import { ModelCalls } from './model-calls.service';
import { OpenAiModelsController } from './openai-models.controller';
import { ServedModels } from './served-models.service';
import { TextCompletions } from './text-completions.service';

/** The OpenAI-compatible API: stateless, straight to the models. */
@Module({
  imports: [ChatModule, ModelsModule, VectorsModule],
  controllers: [ChatCompletionsController, CompletionsController, EmbeddingsController, OpenAiModelsController],
  providers: [ServedModels, ModelCalls, ChatAnswers, GroundedCompletions, TextCompletions, AnswerStream],
})
export class OpenAiApiModule {}
