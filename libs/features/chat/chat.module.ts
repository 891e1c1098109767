import { Module } from '@nestjs/common';
import { PostgresModule } from '@backing/postgres';
import { DeclaredJobs, JobsModule } from '@features/jobs';
import { ModelsModule } from '@features/models';
import { VectorsModule } from '@features/vectors';
import { AnswerPlans } from './answer-plans.service';
import { AnswerHandler } from './answer.handler';
import { ContextFit } from './answer/context-fit.service';
import { Conversations } from './answer/conversation.service';
import { EvidenceRanking } from './answer/evidence.service';
import { FreeAnswers } from './answer/free-answers.service';
import { FullTexts } from './answer/full-texts.service';
import { AnswerGeneration } from './answer/generation.service';
import { GroundedAnswers } from './answer/grounded-answers.service';
import { Retrieval } from './answer/retrieval.service';
import { StarterAnswers } from './answer/starter-answers.service';
import { chatAnswer } from './chat.jobs';
import { ChatMessages } from './chat-messages.service';
import { ChatQuestions } from './chat-questions.service';
import { ChatSessions } from './chat-sessions.service';
import { CitedDocumentsRepository } from './cited-documents.repository';
import { MessagesRepository } from './messages.repository';
import { SessionsRepository } from './sessions.repository';

/** Conversations and their answers, freely or from the documents of collections. */
@Module({
  imports: [PostgresModule, JobsModule, ModelsModule, VectorsModule],
  providers: [
    SessionsRepository,
    MessagesRepository,
    CitedDocumentsRepository,
    ChatSessions,
    ChatMessages,
    AnswerPlans,
    ChatQuestions,
    Conversations,
    EvidenceRanking,
    Retrieval,
    ContextFit,
    AnswerGeneration,
    FreeAnswers,
    FullTexts,
    StarterAnswers,
    GroundedAnswers,
    AnswerHandler,
    { provide: DeclaredJobs, useValue: new DeclaredJobs(chatAnswer) },
  ],
  exports: [ChatSessions, ChatMessages, ChatQuestions, GroundedAnswers],
})
export class ChatModule {}
