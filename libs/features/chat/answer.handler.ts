import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { JobHandler, type JobContext, type JobOutcome, type SettledJob, type StoredJob } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import type { FinishedAnswer } from './answer/answer-task';
import { Conversations } from './answer/conversation.service';
import { GroundedAnswers } from './answer/grounded-answers.service';
import { JobAnswerSink } from './answer/job-answer-sink';
import { chatAnswer, type AnswerPayload } from './chat.jobs';
import { messageView } from './chat-message.entity';
import { ChatQuestions } from './chat-questions.service';
import { CitedDocumentsRepository } from './cited-documents.repository';
import { MessagesRepository, type MessageEnd } from './messages.repository';

/** Answers a question of a conversation. Every attempt starts the text anew; the message takes its last state in the transaction that ends the job. */
@Injectable()
export class AnswerHandler extends JobHandler<AnswerPayload, FinishedAnswer> {
  readonly contract = chatAnswer;

  constructor(
    private readonly messages: MessagesRepository,
    private readonly conversations: Conversations,
    private readonly answers: GroundedAnswers,
    private readonly questions: ChatQuestions,
    private readonly cited: CitedDocumentsRepository,
  ) {
    super();
  }

  async run(context: JobContext<AnswerPayload>): Promise<FinishedAnswer> {
    const { payload, jobId, workspaceId, ownerId, apiKeyId } = context;
    await context.transaction((connection) => this.messages.stream(connection, payload.answer_id));
    const account = { workspaceId, userId: ownerId, apiKeyId, jobId };
    const request = await this.conversations.request(payload, account, context.signal);
    const sink = new JobAnswerSink(context);
    const answer = await this.answers.write(request, sink);
    await sink.flush();
    return answer;
  }

  async settle(connection: Queryable, job: SettledJob<AnswerPayload>, outcome: JobOutcome<FinishedAnswer>): Promise<object> {
    const end = await endOf(connection, job, outcome);
    const citations = await this.cited.forgetDeleted(connection, job.id, end.citations);
    const message = await this.messages.end(connection, job.payload.answer_id, { ...end, citations });
    return message === undefined ? {} : messageView(message);
  }

  retry(job: StoredJob, principal: Principal, requestId: string | null): Promise<{ jobId: string }> {
    return this.questions.answerAgain(principal, job, requestId);
  }
}

async function endOf(connection: Queryable, job: SettledJob<AnswerPayload>, outcome: JobOutcome<FinishedAnswer>): Promise<MessageEnd> {
  if (outcome.status === 'succeeded') return { ...outcome.result, status: 'complete', error: null };
  const content = await job.text(connection);
  const thought = await job.text(connection, 'reasoning');
  const error = outcome.status === 'failed' ? outcome.error : null;
  return {
    content,
    reasoning: thought === '' ? null : thought,
    status: outcome.status,
    error,
    citations: [],
    usage: null,
    finishReason: null,
  };
}
