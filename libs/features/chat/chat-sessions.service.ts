import { Injectable } from '@nestjs/common';
import { Jobs } from '@features/jobs';
import { Models } from '@features/models';
import { Collections } from '@features/vectors';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import type { ChatSession, SessionFields } from './chat-session.entity';
import { SessionsRepository } from './sessions.repository';

const EMPTY: SessionFields = { title: null, model: null, system: null, collections: [], options: {}, visibility: 'private' };

/**
 * Conversations, private to their maker unless shared with the workspace; only the maker may change one.
 * Errors: `not_found`, `precondition_failed` (`If-Match`), `invalid` (unknown model), `forbidden` (another member's shared session).
 */
@Injectable()
export class ChatSessions {
  constructor(
    private readonly repository: SessionsRepository,
    private readonly jobs: Jobs,
    private readonly models: Models,
    private readonly collections: Collections,
  ) {}

  async create(principal: Principal, fields: Partial<SessionFields>): Promise<ChatSession> {
    await this.assertKnown(principal, fields);
    return this.repository.insert(principal, { ...EMPTY, ...fields });
  }

  async get(principal: Principal, id: string): Promise<ChatSession> {
    const session = await this.repository.findVisible(principal, id);
    if (session === undefined) throw AppError.notFound('The session');
    return session;
  }

  list(principal: Principal, page: PageQuery): Promise<Page<ChatSession>> {
    return this.repository.list(principal, page);
  }

  /** `versions` are those that the caller accepts (`If-Match`); undefined: any. */
  async change(principal: Principal, id: string, fields: Partial<SessionFields>, versions?: number[]): Promise<ChatSession> {
    const session = await this.own(principal, id);
    assertVersion(session, versions);
    await this.assertKnown(principal, fields);
    const changed = await this.repository.update(session, { ...session, ...fields });
    if (changed === undefined) throw changedMeanwhile();
    return changed;
  }

  /** Its answers stop, then it goes with all its messages. */
  async delete(principal: Principal, id: string, versions?: number[]): Promise<void> {
    const session = await this.own(principal, id);
    assertVersion(session, versions);
    await this.jobs.cancelSubject(session.id);
    await this.repository.delete(session.id);
    // A question that came in between has lost its session; its job must not go on.
    await this.jobs.cancelSubject(session.id);
  }

  /** The session, when the caller made it. */
  async own(principal: Principal, id: string): Promise<ChatSession> {
    const session = await this.get(principal, id);
    if (session.ownerId !== principal.userId) throw new AppError('forbidden', 'Only the maker of a session may change it.');
    return session;
  }

  private async assertKnown(principal: Principal, { model, collections }: Partial<SessionFields>): Promise<void> {
    if (collections !== undefined) await this.collections.resolve(principal.workspaceId, collections);
    if (model === undefined || model === null) return;
    const card = (await this.models.list()).find(({ id }) => id === model);
    if (card?.kind !== 'chat') throw AppError.field('invalid', 'model', `there is no chat model ${model}.`);
  }
}

function assertVersion(session: ChatSession, versions: number[] | undefined): void {
  if (versions !== undefined && !versions.includes(session.version)) throw changedMeanwhile();
}

function changedMeanwhile(): AppError {
  return new AppError('precondition_failed', 'The session has changed since it was read.');
}
