import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import type { ChatMessage, Feedback } from './chat-message.entity';
import { ChatSessions } from './chat-sessions.service';
import { MessagesRepository } from './messages.repository';

const TRIES = 3;

/**
 * The messages of a conversation with all their branches. Whoever sees the session reads them; its maker alone rates answers and changes the
 * branch. Errors: `not_found`, `forbidden`, `unprocessable` (a rating of a question), `conflict` (the session changes all the time).
 */
@Injectable()
export class ChatMessages {
  constructor(
    private readonly repository: MessagesRepository,
    private readonly sessions: ChatSessions,
  ) {}

  async list(principal: Principal, sessionId: string, page: PageQuery): Promise<Page<ChatMessage>> {
    const session = await this.sessions.get(principal, sessionId);
    return this.repository.list(session.id, page);
  }

  /** A message of a session that the caller may see. */
  async get(principal: Principal, sessionId: string, id: string): Promise<ChatMessage> {
    const session = await this.sessions.get(principal, sessionId);
    return this.find(session.id, id);
  }

  /** The conversation goes on from the branch through this message. */
  async activate(principal: Principal, sessionId: string, id: string): Promise<ChatMessage> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const session = await this.sessions.own(principal, sessionId);
      const message = await this.find(session.id, id);
      if (message.active) return message;
      if (await this.repository.activate(session, id)) return this.find(session.id, id);
    }
    throw new AppError('conflict', 'The session is changed by others at the same moment.');
  }

  /** In the place of an earlier one; null takes it back. */
  async rate(principal: Principal, sessionId: string, id: string, feedback: Feedback | null): Promise<ChatMessage> {
    const session = await this.sessions.own(principal, sessionId);
    const message = await this.find(session.id, id);
    if (message.role !== 'assistant') throw new AppError('unprocessable', 'Only answers are rated; this message is a question.');
    const rated = await this.repository.rate(message.id, feedback);
    if (rated === undefined) throw AppError.notFound('The message');
    return rated;
  }

  private async find(sessionId: string, id: string): Promise<ChatMessage> {
    const message = await this.repository.find(id);
    if (message?.sessionId !== sessionId) throw AppError.notFound('The message');
    return message;
  }
}
