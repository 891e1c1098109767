import { Injectable } from '@nestjs/common';
import { isUniqueViolation, PostgresClient } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { Page } from '@kernel/paging';
import type { CountedCollection } from './collection';
import { CollectionSpaces, type WantedSpace } from './collection-spaces.service';
import { CollectionsRepository } from './collections.repository';

export interface WantedCollection extends WantedSpace {
  name: string;
  language?: string | null;
  description?: string | null;
}

export interface CollectionNames {
  limit: number;
  after?: string;
  before?: string;
  order: 'asc' | 'desc';
}

/** The collections of a workspace, with what they hold. Errors: `not_found`, `conflict` (name taken), `precondition_failed`. */
@Injectable()
export class CollectionCatalogue {
  constructor(
    private readonly repository: CollectionsRepository,
    private readonly spaces: CollectionSpaces,
    private readonly postgres: PostgresClient,
  ) {}

  async create({ workspaceId, userId }: Principal, wanted: WantedCollection): Promise<CountedCollection> {
    const { name, language = null, description = null } = wanted;
    if ((await this.repository.counted(workspaceId, name)) !== undefined) throw taken(name);
    const space = await this.postgres.beforehand(() => this.spaces.wanted(wanted));
    try {
      await this.repository.insertNew({ workspaceId, ownerId: userId, name, spaceId: space.id, language, description });
    } catch (error) {
      if (isUniqueViolation(error)) throw taken(name);
      throw error;
    }
    return this.get(workspaceId, name);
  }

  async get(workspaceId: string, name: string): Promise<CountedCollection> {
    const collection = await this.repository.counted(workspaceId, name);
    if (collection === undefined) throw AppError.notFound(`The collection '${name}'`);
    return collection;
  }

  async page(workspaceId: string, { limit, order, after, before }: CollectionNames): Promise<Page<CountedCollection>> {
    if (after !== undefined && before !== undefined) throw AppError.field('invalid', 'before', 'after and before cannot be used together.');
    const rows = await this.repository.page(workspaceId, { limit: limit + 1, after, before, descending: order === 'desc' });
    const data = rows.slice(0, limit);
    return { data: before === undefined ? data : data.reverse(), hasMore: rows.length > limit };
  }

  async change(
    workspaceId: string,
    name: string,
    fields: { language?: string | null; description?: string | null },
    accepted: number[] | undefined,
  ): Promise<CountedCollection> {
    const { id } = await this.get(workspaceId, name);
    await this.postgres.transaction(async (connection) => {
      const found = await this.repository.lock(connection, id);
      if (found === undefined) throw AppError.notFound(`The collection '${name}'`);
      if (accepted !== undefined && !accepted.includes(found.revision)) throw stale();
      await this.repository.change(connection, id, fields);
    });
    return this.get(workspaceId, name);
  }
}

function taken(name: string): AppError {
  return new AppError('conflict', `The workspace has a collection '${name}' already.`);
}

function stale(): AppError {
  return new AppError('precondition_failed', 'The collection has changed since it was read.');
}
