import { Injectable } from '@nestjs/common';
import { isUniqueViolation, sqlState } from '@backing/postgres';
import { Jobs, type StoredJob } from '@features/jobs';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { v7 } from 'uuid';
import { AnswerPlans } from './answer-plans.service';
import { chatAnswer } from './chat.jobs';
import type { ChatMessage } from './chat-message.entity';
import type { ChatSession } from './chat-session.entity';
import { ChatSessions } from './chat-sessions.service';
import { MessagesRepository } from './messages.repository';
import type { AnswerPlan, AskedQuestion, NewAnswer, NewQuestion } from './question.entity';
import { titleOf } from './title';

interface Acceptance {
  after: string | null;
  questionId: string;
  /** Unset: the question is there already. */
  content?: string;
  plan: AnswerPlan;
  retryOf?: string;
}

const TRIES = 3;
const NOT_NULL_VIOLATION = '23502';

/**
 * Questions of a conversation and requests for other answers. What is accepted is written in one statement with its job, and the conversation
 * goes on from there; one answer at a time. Errors: `not_found` (session, message, collection), `invalid` (model, options), `unprocessable`
 * (parent), `unavailable` (model missing), `conflict` with the open answer's job, `rate_limited` (too many open answers).
 */
@Injectable()
export class ChatQuestions {
  constructor(
    private readonly repository: MessagesRepository,
    private readonly sessions: ChatSessions,
    private readonly jobs: Jobs,
    private readonly plans: AnswerPlans,
  ) {}

  ask(principal: Principal, sessionId: string, question: NewQuestion, requestId: string | null): Promise<AskedQuestion> {
    return this.accepted(principal, sessionId, requestId, async (session) => ({
      plan: await this.plans.forQuestion(principal, session, question),
      after: await this.parentOf(session, question.parentId),
      questionId: v7(),
      content: question.content,
    }));
  }

  /** Another answer to the same question, beside the earlier ones; made like the last one but for what `wanted` says. */
  regenerate(
    principal: Principal,
    sessionId: string,
    messageId: string,
    wanted: NewAnswer,
    requestId: string | null,
  ): Promise<AskedQuestion> {
    return this.accepted(principal, sessionId, requestId, async (session) => {
      const message = await this.find(session, messageId);
      const question = message.role === 'user' ? message : await this.find(session, message.parentId);
      const earlier = message.role === 'user' ? await this.repository.answerTo(question) : message;
      return { plan: await this.plans.again(principal, session, earlier, wanted), after: question.id, questionId: question.id };
    });
  }

  /** A new answer to the question of a failed or cancelled job, exactly as it was to be. */
  async answerAgain(principal: Principal, job: StoredJob, requestId: string | null): Promise<{ jobId: string }> {
    const { session_id: sessionId, question_id: questionId, answer_id: answerId, ...plan } = chatAnswer.payload.parse(job.payload);
    return this.accepted(principal, sessionId, requestId, async (session) => {
      if ((await this.repository.lastActive(session.id)) !== answerId) {
        throw new AppError('conflict', 'The conversation has gone on since: regenerate the answer instead.');
      }
      return { plan, after: questionId, questionId, retryOf: job.id };
    });
  }

  /** Reads and accepts; once more when the session has changed in between. */
  private async accepted(
    principal: Principal,
    sessionId: string,
    requestId: string | null,
    read: (session: ChatSession) => Promise<Acceptance>,
  ): Promise<AskedQuestion> {
    await this.jobs.assertRoom(principal, chatAnswer);
    for (let tries = 0; tries < TRIES; tries += 1) {
      const session = await this.sessions.own(principal, sessionId);
      await this.assertIdle(session.id);
      const acceptance = await read(session);
      const asked = await this.accept(principal, session, acceptance, requestId);
      if (asked !== undefined) return asked;
    }
    throw new AppError('conflict', 'The session is changed by others at the same moment.');
  }

  /** Undefined: the session is not as it was read. */
  private async accept(
    principal: Principal,
    session: ChatSession,
    { after, questionId, content, plan, retryOf }: Acceptance,
    requestId: string | null,
  ): Promise<AskedQuestion | undefined> {
    const answerId = v7();
    const payload = { session_id: session.id, question_id: questionId, answer_id: answerId, ...plan };
    const accepted = { message_id: questionId, answer_id: answerId };
    const job = this.jobs.acceptance(chatAnswer, payload, { ...owners(principal, session, requestId), retryOf, accepted });
    const question = content === undefined ? undefined : { id: questionId, content };
    const title = content === undefined || session.title !== null ? null : await this.titleFor(after, content);
    try {
      await this.repository.accept({ session, after, question, answerId, title, model: plan.model, job });
    } catch (error) {
      if (isUniqueViolation(error) || sqlState(error).code === NOT_NULL_VIOLATION) return undefined;
      throw error;
    }
    this.jobs.wake();
    return { messageId: questionId, answerId, jobId: job.jobId };
  }

  /** After the first question of the branch. */
  private async titleFor(after: string | null, content: string): Promise<string> {
    const first = after === null ? undefined : await this.repository.firstOf(after);
    return titleOf(first?.content ?? content);
  }

  private async assertIdle(sessionId: string): Promise<void> {
    const jobId = await this.repository.answering(sessionId);
    if (jobId !== undefined) throw busy(jobId);
  }

  private async parentOf(session: ChatSession, wanted: string | null | undefined): Promise<string | null> {
    if (wanted === undefined) return (await this.repository.lastActive(session.id)) ?? null;
    if (wanted === null) return null;
    const parent = await this.repository.find(wanted);
    if (parent?.sessionId === session.id) return parent.id;
    throw AppError.field('unprocessable', 'parent_id', 'names no message of this session.');
  }

  private async find(session: ChatSession, id: string | null): Promise<ChatMessage> {
    const message = id === null ? undefined : await this.repository.find(id);
    if (message?.sessionId !== session.id) throw AppError.notFound('The message');
    return message;
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

function busy(jobId: string | undefined): AppError {
  return new AppError('conflict', 'The session is waiting for an answer; one at a time.', { jobId });
}
