import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { ChatMessages, messageView, type AskedQuestion } from '@features/chat';
import { Jobs } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import type { FastifyReply } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import { JobStream } from '../jobs/job-stream.service';
import { jobView } from '../jobs/jobs.schema';
import {
  acceptedQuestionSchema,
  answeredQuestionSchema,
  askBody,
  askQuery,
  listMessagesQuery,
  messageListSchema,
  messageSchema,
  questionOf,
  type AskBody,
  type AskQuery,
  type ListMessagesQuery,
} from './chat.schema';

/** Questions and their answers. */
@ApiTags('chat')
@Controller('api/v1/chat/sessions/:id/messages')
export class ChatMessagesController {
  constructor(
    private readonly messages: ChatMessages,
    private readonly jobs: Jobs,
    private readonly stream: JobStream,
  ) {}

  @Get()
  @Access('chat')
  @ApiOperation({ summary: 'List the messages of a conversation, oldest first.' })
  @Answers(200, messageListSchema, 'A page of messages.')
  @Problems('not_found')
  async list(
    @Param('id', IdPipe) id: string,
    @Query({ schema: listMessagesQuery }) query: ListMessagesQuery,
    @Caller() principal: Principal,
  ) {
    const page = await this.messages.list(principal, id, query);
    return listAnswer({ data: page.data.map(messageView), hasMore: page.hasMore }, (message) => message.id);
  }

  @Get(':message')
  @Access('chat')
  @ApiOperation({ summary: 'Read a message.' })
  @Answers(200, messageSchema, 'The message.')
  @Problems('not_found')
  async get(@Param('id', IdPipe) id: string, @Param('message', IdPipe) message: string, @Caller() principal: Principal) {
    return messageView(await this.messages.get(principal, id, message));
  }

  @Post()
  @HttpCode(202)
  @Access('chat', 'viewer', { spends: true })
  @ApiOperation({
    summary: 'Ask: the answer is a job. `Accept: text/event-stream` streams its events, `?wait=` waits for its end, else it is accepted.',
  })
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
    const asked = await this.messages.ask(principal, id, questionOf(body), reply.request.id);
    void reply.header('Location', `/api/v1/jobs/${asked.jobId}`);
    if (acceptsEvents(reply.request.headers.accept)) return this.stream.send(reply.request, reply, asked.jobId, 0);
    await this.answer(principal, id, asked, query.wait ?? 0, reply);
  }

  private async answer(principal: Principal, sessionId: string, asked: AskedQuestion, seconds: number, reply: FastifyReply): Promise<void> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const finished = seconds > 0 ? await this.jobs.finished(asked.jobId, seconds * 1000, gone.signal) : undefined;
    const message = messageView(await this.messages.get(principal, sessionId, asked.messageId));
    const job = jobView(finished ?? (await this.jobs.get(principal, asked.jobId)));
    const answer =
      finished === undefined ? { id: asked.answerId } : messageView(await this.messages.get(principal, sessionId, asked.answerId));
    await reply.code(finished === undefined ? 202 : 200).send({ message, answer, job });
  }
}

/** Only when it is named: any other wish gets JSON. */
function acceptsEvents(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((part) => /^\s*text\/event-stream\s*(?:;(?!.*\bq=0(?:\.0*)?\s*(?:;|$)).*)?$/iu.test(part));
}
