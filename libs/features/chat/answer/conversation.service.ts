import { Injectable } from '@nestjs/common';
import { Models, type UsageAccount } from '@features/models';
import { Collections } from '@features/vectors';
import { AppError } from '@kernel/errors';
import type { ChatTurn } from '@kernel/models';
import type { AnswerPayload } from '../chat.jobs';
import type { ChatMessage } from '../chat-message.entity';
import { MessagesRepository } from '../messages.repository';
import { SessionsRepository } from '../sessions.repository';
import type { GroundedRequest } from './answer-task';

const MOST_MESSAGES = 40;

/** Reads what an answer needs of its conversation. Errors: `not_found` (session or collection gone), `unavailable` (model missing). */
@Injectable()
export class Conversations {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly messages: MessagesRepository,
    private readonly models: Models,
    private readonly collections: Collections,
  ) {}

  /** The question with the branch that leads to it. */
  async request(payload: AnswerPayload, account: UsageAccount, signal: AbortSignal): Promise<GroundedRequest> {
    const session = await this.sessions.find(payload.session_id);
    const question = await this.messages.find(payload.question_id);
    if (session === undefined || question === undefined) throw AppError.notFound('The session');
    const before = question.parentId === null ? [] : await this.messages.branch(question.parentId, MOST_MESSAGES);
    const lastAnswer = before.findLast((message) => message.role === 'assistant');
    return {
      question: question.content,
      system: session.system,
      earlier: before.filter((message) => message.role === 'user').map((message) => message.content),
      history: completePairs(before),
      citedDocuments: [...new Set(lastAnswer?.citations.map((citation) => citation.document_id) ?? [])],
      collections: await this.collections.resolve(account.workspaceId, payload.collections),
      card: await this.models.resolve('chat', payload.model),
      topK: payload.top_k,
      options: payload.options,
      signal,
      account,
    };
  }
}

/** A question without a complete answer would make a model answer it instead of the new one. */
function completePairs(messages: ChatMessage[]): ChatTurn[] {
  return messages.flatMap((message, index) => {
    const answer = messages[index + 1];
    if (message.role !== 'user' || answer?.role !== 'assistant' || answer.status !== 'complete') return [];
    return [
      { role: 'user', content: message.content },
      { role: 'assistant', content: answer.content },
    ];
  });
}
