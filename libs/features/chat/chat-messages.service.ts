import { Injectable } from '@nestjs/common';
import { isUniqueViolation, sqlState } from '@backing/postgres';
import { Jobs, type StoredJob } from '@features/jobs';
import { Models } from '@features/models';
import { Collections } from '@features/vectors';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { ModelCard } from '@kernel/models';
import type { Page, PageQuery } from '@kernel/paging';
import { v7 } from 'uuid';
import { chatAnswer, type AnswerPayload } from './chat.jobs';
import type { ChatMessage } from './chat-message.entity';
import type { ChatOptions, ChatSession } from './chat-session.entity';
import { ChatSessions } from './chat-sessions.service';
import { MessagesRepository } from './messages.repository';

export interface NewQuestion {
  content: string;
  parentId?: string;
  model?: string;
  collections?: string[];
  topK?: number;
  options?: ChatOptions;
}

export interface AskedQuestion {
  messageId: string;
  answerId: string;
  jobId: string;
}

const TOP_K = 5;
const TITLE = 80;
const FOREIGN_KEY_VIOLATION = '23503';

/**
 * Questions and answers of a conversation. A question is accepted in one statement together with its answer's job; one answer at a time.
 * Errors: `not_found` (session, collection), `invalid` (model, options), `unavailable` (model missing), `conflict` with the open answer's job.
 */
@Injectable()
export class ChatMessages {
  constructor(
    private readonly repository: MessagesRepository,
    private readonly sessions: ChatSessions,
    private readonly jobs: Jobs,
    private readonly models: Models,
    private readonly collections: Collections,
  ) {}

  async list(principal: Principal, sessionId: string, page: PageQuery): Promise<Page<ChatMessage>> {
    const session = await this.sessions.get(principal, sessionId);
    return this.repository.list(session.id, page);
  }

  /** A message of a session that the caller may see. */
  async get(principal: Principal, sessionId: string, id: string): Promise<ChatMessage> {
    const session = await this.sessions.get(principal, sessionId);
    const message = await this.repository.find(id);
    if (message?.sessionId !== session.id) throw AppError.notFound('The message');
    return message;
  }

  async ask(principal: Principal, sessionId: string, question: NewQuestion, requestId: string | null): Promise<AskedQuestion> {
    const session = await this.sessions.own(principal, sessionId);
    const collections = question.collections ?? session.collections;
    await this.collections.resolve(principal.workspaceId, collections);
    const card = await this.models.resolve('chat', question.model ?? session.model ?? undefined);
    const options = { ...session.options, ...question.options };
    assertFits(options, card);
    await this.assertIdle(session.id);
    const parentId = await this.parentOf(session, question.parentId);
    const payload = { model: card.id, collections, top_k: question.topK ?? TOP_K, options };
    return this.accept(principal, session, { ...question, parentId }, payload, requestId);
  }

  /** A new answer to the question of a failed or cancelled job. */
  async answerAgain(principal: Principal, job: StoredJob, requestId: string | null): Promise<{ jobId: string }> {
    const before = chatAnswer.payload.parse(job.payload);
    const session = await this.sessions.own(principal, before.session_id);
    const earlier = await this.repository.find(before.answer_id);
    if (earlier === undefined) throw AppError.notFound('The question');
    await this.assertIdle(session.id);
    if ((await this.repository.lastActive(session.id)) !== earlier.id) {
      throw new AppError('conflict', 'The conversation has gone on since; only its last question can be answered again.');
    }
    const answerId = v7();
    const acceptance = this.jobs.acceptance(
      chatAnswer,
      { ...before, answer_id: answerId },
      { ...owners(principal, session, requestId), retryOf: job.id, accepted: { message_id: before.question_id, answer_id: answerId } },
    );
    await this.guarded(session.id, () => this.repository.acceptAgain(earlier, answerId, session, acceptance));
    return { jobId: acceptance.jobId };
  }

  private async accept(
    principal: Principal,
    session: ChatSession,
    question: { content: string; parentId: string | null },
    answer: Pick<AnswerPayload, 'model' | 'collections' | 'top_k' | 'options'>,
    requestId: string | null,
  ): Promise<AskedQuestion> {
    const ids = { questionId: v7(), answerId: v7() };
    const payload = { session_id: session.id, question_id: ids.questionId, answer_id: ids.answerId, ...answer };
    const job = this.jobs.acceptance(chatAnswer, payload, {
      ...owners(principal, session, requestId),
      accepted: { message_id: ids.questionId, answer_id: ids.answerId },
    });
    const row = { sessionId: session.id, workspaceId: session.workspaceId, ownerId: session.ownerId, model: answer.model };
    const title = titleOf(question.content);
    const { content, parentId } = question;
    await this.guarded(session.id, () => this.repository.accept({ ...row, ...ids, content, parentId, title, job }));
    this.jobs.wake();
    return { messageId: ids.questionId, answerId: ids.answerId, jobId: job.jobId };
  }

  /** The database has the last word about who was first, and whether the session is still there. */
  private async guarded(sessionId: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (isUniqueViolation(error)) throw busy(await this.repository.answering(sessionId));
      if (sqlState(error).code === FOREIGN_KEY_VIOLATION) throw AppError.notFound('The session');
      throw error;
    }
  }

  private async assertIdle(sessionId: string): Promise<void> {
    const jobId = await this.repository.answering(sessionId);
    if (jobId !== undefined) throw busy(jobId);
  }

  private async parentOf(session: ChatSession, wanted: string | undefined): Promise<string | null> {
    const last = (await this.repository.lastActive(session.id)) ?? null;
    if (wanted === undefined || wanted === last) return last;
    throw AppError.field('unprocessable', 'parent_id', 'only the last message of the session can be continued in this release.');
  }
}

function owners(principal: Principal, session: ChatSession, requestId: string | null) {
  return {
    workspaceId: session.workspaceId,
    ownerId: session.ownerId,
    apiKeyId: principal.keyId ?? null,
    subjectId: session.id,
    requestId,
    visibility: session.visibility,
  };
}

function assertFits(options: ChatOptions, card: ModelCard): void {
  const most = options.max_tokens;
  if (most !== undefined && most > card.contextLength)
    throw AppError.field('invalid', 'options.max_tokens', `${card.id} has a context of ${card.contextLength} tokens.`);
}

function busy(jobId: string | undefined): AppError {
  return new AppError('conflict', 'The session is waiting for an answer; one at a time.', { jobId });
}

/** The first line of the question, cut at a word. */
function titleOf(content: string): string {
  const line = content.trim().split(/\r?\n/u, 1)[0]?.replace(/\s+/gu, ' ').trim() ?? '';
  if (line.length <= TITLE) return line;
  const cut = line.slice(0, TITLE).toWellFormed();
  const space = cut.lastIndexOf(' ');
  return `${space > TITLE / 2 ? cut.slice(0, space) : cut}…`;
}
