import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import type { UsageAccount } from '@features/models';
import { AppError } from '@kernel/errors';
import type { Page } from '@kernel/paging';
import type { Collection } from '../collection';
import { CollectionSpaces } from '../collection-spaces.service';
import { asMetadata } from '../metadata';
import { StoreSync } from '../stores/store-sync.service';
import { checkedPoints } from './checked-points';
import { PointLedger, type PointSelection } from './point-ledger.repository';
import { PointWriter } from './point-writer.service';
import type { Point, SentPoint } from './point';

/** Texts that are embedded while the caller waits. */
export const MOST_TEXTS_AT_ONCE = 100;
/** Points deleted in one transaction. */
const DELETED_AT_ONCE = 500;

/** What a page of points is asked for; ids in byte order. */
export interface PointPage {
  limit: number;
  after?: string;
  before?: string;
  order: 'asc' | 'desc';
}

/**
 * The points of a collection. Errors: `not_found`; `conflict` for chunks of documents, which change with their document; `precondition_failed`;
 * `unprocessable` for points and metadata that break the rules.
 */
@Injectable()
export class UserPoints {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly spaces: CollectionSpaces,
    private readonly ledger: PointLedger,
    private readonly writer: PointWriter,
    private readonly sync: StoreSync,
  ) {}

  /** Replaces points whole; answers their ids in the order of the batch. */
  async put(collection: Collection, points: SentPoint[], account: UsageAccount, signal: AbortSignal): Promise<string[]> {
    const space = await this.spaces.of(collection);
    const checked = checkedPoints(points, space);
    if (checked.filter((point) => point.vector === null).length > MOST_TEXTS_AT_ONCE)
      throw AppError.field(
        'invalid',
        'points',
        `can have at most ${MOST_TEXTS_AT_ONCE} texts at once; more with the header Prefer: respond-async.`,
      );
    const writable = await this.writer.embedded(checked, space, account, signal);
    await this.writer.write({ collection, space, ownerId: account.userId }, writable);
    return checked.map((point) => point.id);
  }

  async get(collection: Collection, id: string): Promise<Point> {
    const [point] = await this.ledger.select([collection.id], { ids: [id] });
    if (point === undefined) throw AppError.notFound('The point');
    return point;
  }

  /** Those that are there, in the order of the ids. */
  async byIds(collection: Collection, ids: string[]): Promise<Point[]> {
    const found = new Map((await this.ledger.select([collection.id], { ids })).map((point) => [point.id, point]));
    return [...new Set(ids)].flatMap((id) => found.get(id) ?? []);
  }

  async page(collection: Collection, selection: PointSelection, { limit, order, after, before }: PointPage): Promise<Page<Point>> {
    if (after !== undefined && before !== undefined) throw AppError.field('invalid', 'before', 'after and before cannot be used together.');
    const rows = await this.ledger.page(collection.id, selection, { after, before, descending: order === 'desc', limit: limit + 1 });
    const data = rows.slice(0, limit);
    return { data: before === undefined ? data : data.reverse(), hasMore: rows.length > limit };
  }

  count(collection: Collection, selection: PointSelection): Promise<number> {
    return this.ledger.count(collection.id, selection);
  }

  /** Merges metadata: a member that is sent replaces the one of its name. */
  async merge(collection: Collection, id: string, sent: unknown, accepted: number[] | undefined): Promise<Point> {
    const changes = asMetadata(sent);
    await this.postgres.transaction(async (connection) => {
      const point = await this.ledger.lock(connection, collection.id, id);
      assertChangeable(point, accepted);
      await this.ledger.setMetadata(connection, collection.id, id, asMetadata({ ...point.metadata, ...changes }));
    });
    return this.get(collection, id);
  }

  async delete(collection: Collection, id: string, accepted: number[] | undefined): Promise<void> {
    await this.removed(collection, async (connection) => {
      assertChangeable(await this.ledger.lock(connection, collection.id, id), accepted);
      return this.ledger.delete(connection, collection.id, { ids: [id] }, 1);
    });
  }

  /** Deletes the users' points of a selection; chunks stay with their documents. Answers how many. */
  async deleteAll(collection: Collection, selection: PointSelection): Promise<number> {
    for (let total = 0; ; ) {
      const removed = await this.removed(collection, (connection) =>
        this.ledger.delete(connection, collection.id, selection, DELETED_AT_ONCE),
      );
      total += removed;
      if (removed < DELETED_AT_ONCE) return total;
    }
  }

  /** Nobody finds them from the commit on; a store that follows the ledger may hear of it later. */
  private async removed(
    { space }: Collection,
    work: (connection: Parameters<Parameters<PostgresClient['transaction']>[0]>[0]) => Promise<string[]>,
  ): Promise<number> {
    const gone = await this.postgres.transaction(async (connection) => {
      const physicalIds = await work(connection);
      if (space !== null) await this.sync.removed(connection, space, physicalIds);
      return physicalIds.length;
    });
    if (space !== null) this.sync.removalsCommitted(space);
    return gone;
  }
}

function assertChangeable(point: Point | undefined, accepted: number[] | undefined): asserts point is Point {
  if (point === undefined) throw AppError.notFound('The point');
  if (point.documentId !== null) throw new AppError('conflict', 'This point is a chunk of a document: change or delete the document.');
  if (accepted !== undefined && !accepted.includes(point.revision))
    throw new AppError('precondition_failed', 'The point has changed since it was read.');
}
