import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { Collection } from './collection';
import { CollectionsRepository } from './collections.repository';
import { PointLedger } from './points/point-ledger.repository';
import { Points } from './points.service';
import { StoreSync } from './stores/store-sync.service';

/** Points removed in one transaction. */
const BATCH = 500;

/**
 * Deleted collections, and what is left of them. A collection is not found from the moment it is buried; its points leave the store and the
 * ledger in slices, in the background, and the row goes last.
 */
@Injectable()
export class CollectionRemains implements BeforeApplicationShutdown {
  private readonly logger = new Logger(CollectionRemains.name);
  private last: Promise<void> = Promise.resolve();
  private stopping = false;

  constructor(
    private readonly repository: CollectionsRepository,
    private readonly ledger: PointLedger,
    private readonly points: Points,
    private readonly sync: StoreSync,
    private readonly postgres: PostgresClient,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.last;
  }

  /** Deletes a collection for everybody at once, `told` in the same transaction. Errors: `not_found`, `precondition_failed`. */
  async bury(
    workspaceId: string,
    name: string,
    accepted: number[] | undefined,
    told: (connection: Queryable, collection: Collection) => Promise<void>,
  ): Promise<Collection> {
    const [collection] = await this.repository.byNames(workspaceId, [name]);
    if (collection === undefined) throw AppError.notFound(`The collection '${name}'`);
    await this.postgres.transaction(async (connection) => {
      const found = await this.repository.lock(connection, collection.id);
      if (found === undefined) throw AppError.notFound(`The collection '${name}'`);
      if (accepted !== undefined && !accepted.includes(found.revision))
        throw new AppError('precondition_failed', 'The collection has changed since it was read.');
      await this.repository.bury(connection, collection.id);
      await told(connection, collection);
    });
    return collection;
  }

  /** Deletes all collections of a workspace; answers those of which something is left. */
  async buryAll(workspaceId: string): Promise<Collection[]> {
    await this.repository.buryAll(workspaceId);
    return (await this.repository.buried()).filter((collection) => collection.workspaceId === workspaceId);
  }

  /** Deleted collections of which something is left. */
  buried(): Promise<Collection[]> {
    return this.repository.buried();
  }

  /** Ids of the documents that a collection still has. */
  documents(collection: Collection): Promise<string[]> {
    return this.repository.documentsOf(collection.id);
  }

  /** Removes what is left of every deleted collection; resolves when that is done, whether it worked or not. */
  sweep(): Promise<void> {
    this.last = this.last.then(async () => {
      await this.all().catch((error: unknown) => this.logger.warn({ msg: 'What a collection left could not be removed yet', err: error }));
    });
    return this.last;
  }

  private async all(): Promise<void> {
    const buried = await this.repository.buried();
    if (buried.length === 0) return;
    await this.points.sweep();
    for (const collection of buried) {
      while (!this.stopping && (await this.slice(collection)) > 0);
      if (!this.stopping) await this.repository.remove(collection.id);
    }
  }

  private async slice({ id, space }: Collection): Promise<number> {
    const gone = await this.postgres.transaction(async (connection) => {
      const physicalIds = await this.ledger.delete(connection, id, {}, BATCH);
      if (space !== null) await this.sync.removed(connection, space, physicalIds);
      return physicalIds.length;
    });
    if (space !== null) this.sync.removalsCommitted(space);
    return gone;
  }
}
