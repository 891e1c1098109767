import { Module } from '@nestjs/common';
import { ChatModule } from '@features/chat';
import { JobsModule } from '@features/jobs';
import { IdempotencyApiModule } from '../idempotency/idempotency-api.module';
import { JobsApiModule } from '../jobs/jobs-api.module';
import { ChatMessagesController } from './chat-messages.controller';
import { ChatQuestionsController } from './chat-questions.controller';
import { ChatSessionsController } from './chat-sessions.controller';

/** The HTTP edge of chat. */
@Module({
  imports: [ChatModule, IdempotencyApiModule, JobsModule, JobsApiModule],
  controllers: [ChatSessionsController, ChatMessagesController, ChatQuestionsController],
})
export class ChatApiModule {}
