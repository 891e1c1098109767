import { Injectable } from '@nestjs/common';
import { Jobs } from '@features/jobs';
import { Models } from '@features/models';
import { Collections } from '@features/vectors';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { ModelCard } from '@kernel/models';
import { chatAnswer } from './chat.jobs';
import type { ChatMessage } from './chat-message.entity';
import type { ChatOptions, ChatSession } from './chat-session.entity';
import type { AnswerPlan, NewAnswer, NewQuestion } from './question.entity';

const TOP_K = 5;

/**
 * Decides how an answer is to be made: model, collections, number of passages and options, each from the request, else from the answer before,
 * else from the session. Errors: `not_found` (collection), `invalid` (model, options that it cannot do), `unavailable` (model missing).
 */
@Injectable()
export class AnswerPlans {
  constructor(
    private readonly jobs: Jobs,
    private readonly models: Models,
    private readonly collections: Collections,
  ) {}

  forQuestion(principal: Principal, session: ChatSession, question: Omit<NewQuestion, 'content'>): Promise<AnswerPlan> {
    return this.checked(principal, question.model ?? session.model, {
      collections: question.collections ?? session.collections,
      top_k: question.topK ?? TOP_K,
      options: { ...session.options, ...question.options },
    });
  }

  /** Like an earlier answer but for what is wanted; as the session says when nothing is known about that answer any more. */
  async again(principal: Principal, session: ChatSession, earlier: ChatMessage | undefined, wanted: NewAnswer): Promise<AnswerPlan> {
    const before = await this.planOf(principal, earlier);
    if (before === undefined) return this.forQuestion(principal, session, wanted);
    const { collections, top_k, options } = before;
    return this.checked(principal, wanted.model ?? before.model, { collections, top_k, options: { ...options, ...wanted.options } });
  }

  private async planOf(principal: Principal, earlier: ChatMessage | undefined): Promise<AnswerPlan | undefined> {
    if (earlier === undefined || earlier.jobId === null) return undefined;
    try {
      return chatAnswer.payload.parse((await this.jobs.get(principal, earlier.jobId)).payload);
    } catch (error) {
      // Jobs are not kept for ever.
      if (error instanceof AppError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  private async checked(principal: Principal, model: string | null, plan: Omit<AnswerPlan, 'model'>): Promise<AnswerPlan> {
    await this.collections.resolve(principal.workspaceId, plan.collections);
    const card = await this.models.resolve('chat', model ?? undefined);
    assertFits(plan.options, card);
    return { model: card.id, ...plan };
  }
}

function assertFits({ max_tokens: most, think }: ChatOptions, card: ModelCard): void {
  if (most !== undefined && most > card.contextLength) {
    throw AppError.field('invalid', 'options.max_tokens', `${card.id} has a context of ${card.contextLength} tokens.`);
  }
  if (think === true && !card.capabilities.includes('thinking')) {
    throw AppError.field('invalid', 'options.think', `${card.id} does not think before it answers.`);
  }
}
