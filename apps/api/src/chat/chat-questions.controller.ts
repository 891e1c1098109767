import { Body, Controller, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiProduces, ApiTags } from '@nestjs/swagger';
import { ChatMessages, ChatQuestions, messageView, type AskedQuestion } from '@features/chat';
import { Jobs, type StoredJob } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import type { FastifyReply } from 'fastify';
import { acceptsEvents } from '../http/accepts-events';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import { IdsPipe } from '../http/ids.pipe';
import { IdempotentRequests } from '../idempotency/idempotent-requests.service';
import { JobStream } from '../jobs/job-stream.service';
import { jobView } from '../jobs/jobs.schema';
import {
  acceptedQuestionSchema,
  answeredQuestionSchema,
  askBody,
  askQuery,
  questionOf,
  regenerateBody,
  type AskBody,
  type AskQuery,
  type RegenerateBody,
} from './chat.schema';

interface MessagePath {
  id: string;
  message: string;
}

const ANSWERED = '`Accept: text/event-stream` streams its events, `?wait=` waits for its end, else it is accepted.';

/** Questions, and other answers to them. */
@ApiTags('chat')
@Controller('api/v1/chat/sessions/:id/messages')
export class ChatQuestionsController {
  constructor(
    private readonly questions: ChatQuestions,
    private readonly messages: ChatMessages,
    private readonly jobs: Jobs,
    private readonly stream: JobStream,
    private readonly repeats: IdempotentRequests,
  ) {}

  @Post()
  @HttpCode(202)
  @Access('chat', 'viewer', { spends: true, creates: 'answer' })
  @ApiOperation({ summary: `Ask: the answer is a job. ${ANSWERED}` })
  @ApiProduces('application/json', 'text/event-stream')
  @Answers(200, answeredQuestionSchema, 'The finished answer, or the event stream of its job.')
  @Answers(202, acceptedQuestionSchema, 'Accepted; `Location` is the job.')
  @Problems('not_found', 'conflict', 'unprocessable', 'unavailable')
  async ask(
    @Param('id', IdPipe) id: string,
    @Body({ schema: askBody }) body: AskBody,
    @Query({ schema: askQuery }) query: AskQuery,
    @Caller() principal: Principal,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const asked = await this.repeats.once(reply, () => this.questions.ask(principal, id, questionOf(body), reply.request.id));
    await this.answer(principal, id, asked, query, reply);
  }

  @Post(':message/regenerate')
  @HttpCode(202)
  @Access('chat', 'viewer', { spends: true, creates: 'answer' })
  @ApiOperation({ summary: `Answer a question once more, beside the earlier answers: a job. ${ANSWERED}` })
  @ApiProduces('application/json', 'text/event-stream')
  @Answers(200, answeredQuestionSchema, 'The finished answer, or the event stream of its job.')
  @Answers(202, acceptedQuestionSchema, 'Accepted; `Location` is the job.')
  @Problems('not_found', 'conflict', 'unavailable')
  @ApiParam({ name: 'id', type: String })
  @ApiParam({ name: 'message', type: String })
  @ApiBody({ required: false })
  async regenerate(
    @Param(IdsPipe) { id, message }: MessagePath,
    @Body({ schema: regenerateBody }) body: RegenerateBody,
    @Query({ schema: askQuery }) query: AskQuery,
    @Caller() principal: Principal,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const asked = await this.repeats.once(reply, () => this.questions.regenerate(principal, id, message, body ?? {}, reply.request.id));
    await this.answer(principal, id, asked, query, reply);
  }

  private async answer(principal: Principal, session: string, asked: AskedQuestion, query: AskQuery, reply: FastifyReply): Promise<void> {
    void reply.header('Location', `/api/v1/jobs/${asked.jobId}`);
    const streams = acceptsEvents(reply.request.headers.accept);
    const seconds = query.wait ?? 0;
    if (streams || seconds > 0) await this.repeats.settle(reply);
    if (streams) return this.stream.send(reply.request, reply, asked.jobId);
    const finished = seconds > 0 ? await this.finished(asked.jobId, seconds, reply) : undefined;
    const message = messageView(await this.messages.get(principal, session, asked.messageId));
    const job = jobView(finished ?? (await this.jobs.get(principal, asked.jobId)));
    const answer =
      finished === undefined ? { id: asked.answerId } : messageView(await this.messages.get(principal, session, asked.answerId));
    await reply.code(finished === undefined ? 202 : 200).send({ message, answer, job });
  }

  /** Undefined when the time is up first, or the caller has gone: then a repeat waits again. */
  private async finished(jobId: string, seconds: number, reply: FastifyReply): Promise<StoredJob | undefined> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const job = await this.jobs.finished(jobId, seconds * 1000, gone.signal);
    if (job === undefined) this.repeats.leaveOpen(reply);
    return job;
  }
}
