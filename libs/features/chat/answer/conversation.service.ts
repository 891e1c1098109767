import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { ChatTurn } from '@kernel/models';
import type { ChatMessage } from '../chat-message.entity';
import type { ChatSession } from '../chat-session.entity';
import { MessagesRepository } from '../messages.repository';
import { SessionsRepository } from '../sessions.repository';

/** A question with the branch that leads to it. */
export interface Conversation {
  session: ChatSession;
  question: string;
  /** The user's earlier questions, oldest first. */
  earlier: string[];
  /** Earlier questions with their complete answers, oldest first. */
  history: ChatTurn[];
  /** Documents that the last answer cited. */
  citedDocuments: string[];
}

const MOST_MESSAGES = 40;

/** Reads what an answer needs of its conversation. Errors: `not_found` when the session is gone. */
@Injectable()
export class Conversations {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly messages: MessagesRepository,
  ) {}

  async read(sessionId: string, questionId: string): Promise<Conversation> {
    const session = await this.sessions.find(sessionId);
    const question = await this.messages.find(questionId);
    if (session === undefined || question === undefined) throw AppError.notFound('The session');
    const before = (await this.messages.before(sessionId, questionId, MOST_MESSAGES)).reverse();
    const lastAnswer = before.findLast((message) => message.role === 'assistant');
    return {
      session,
      question: question.content,
      earlier: before.filter((message) => message.role === 'user').map((message) => message.content),
      history: completePairs(before),
      citedDocuments: [...new Set(lastAnswer?.citations.map((citation) => citation.document_id) ?? [])],
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
