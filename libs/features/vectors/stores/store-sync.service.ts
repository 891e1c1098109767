import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { PgvectorStore, type Queryable } from '@backing/postgres';
import type { EmbeddingSpace, StoredVector } from '@kernel/vectors';
import { StoreChanges, type ClaimedChanges } from './store-changes.repository';
import { StoreDelivery } from './store-delivery.service';
import { StoreDrainer } from './store-drainer.service';

/** What a transaction has written, to be published after it: undefined where the store was part of it. */
export type Unpublished = ClaimedChanges | undefined;

/**
 * Keeps stores in step with the ledger, which is the truth. `pgvector` shares the ledger's database and changes in its transaction; every other store
 * follows: the same transaction records what it must learn, which is brought to it after the commit, now or once it is back. Errors: `unavailable`.
 */
@Injectable()
export class StoreSync {
  constructor(
    private readonly shared: PgvectorStore,
    private readonly changes: StoreChanges,
    private readonly delivery: StoreDelivery,
    private readonly drainer: StoreDrainer,
  ) {}

  /** Part of the ledger's transaction: points that were written. */
  async written(connection: Queryable, space: EmbeddingSpace, vectors: StoredVector[]): Promise<Unpublished> {
    if (this.shares(space)) {
      await this.shared.write(connection, space, vectors);
      return undefined;
    }
    const claim = randomUUID();
    const ids = vectors.map((vector) => vector.physicalId);
    return { claim, space, changes: await this.changes.record(connection, space, ids, claim) };
  }

  /** Part of the ledger's transaction: points that it does not hold any more. Tell with `removalsCommitted` afterwards. */
  async removed(connection: Queryable, space: EmbeddingSpace, physicalIds: string[]): Promise<void> {
    if (this.shares(space)) await this.shared.erase(connection, space, physicalIds);
    else await this.changes.record(connection, space, physicalIds, null);
  }

  /** After the commit: resolves once these vectors can be found. */
  async publish(written: Unpublished, vectors: StoredVector[]): Promise<void> {
    if (written === undefined) return;
    // Whatever happens here, nothing that is committed stays behind.
    await this.brought(written, vectors).catch((error: unknown) => {
      this.drainer.wake(written.space.store);
      throw error;
    });
  }

  /** The same for points that are published by `settle`, perhaps by another process. */
  async prepared(connection: Queryable, space: EmbeddingSpace, vectors: StoredVector[]): Promise<void> {
    if (this.shares(space)) await this.shared.write(connection, space, vectors);
    else
      await this.changes.record(
        connection,
        space,
        vectors.map((vector) => vector.physicalId),
        null,
      );
  }

  /** After the commit: resolves once these points can be found, whoever wrote them. */
  async settle(space: EmbeddingSpace, physicalIds: string[]): Promise<void> {
    if (!this.shares(space)) await this.delivery.settle(space, physicalIds);
  }

  /** After the commit of removals: the store follows in the background. */
  removalsCommitted(space: EmbeddingSpace): void {
    this.drainer.wake(space.store);
  }

  private async brought(written: ClaimedChanges, vectors: StoredVector[]): Promise<void> {
    const { space, changes } = written;
    const mine = new Set(changes.map((change) => change.physicalId));
    if (changes.length > 0)
      await this.delivery.deliver(
        written,
        vectors.filter((vector) => mine.has(vector.physicalId)),
      );
    // The rest is in somebody else's hands.
    await this.delivery.settle(
      space,
      vectors.flatMap(({ physicalId }) => (mine.has(physicalId) ? [] : [physicalId])),
    );
  }

  private shares(space: EmbeddingSpace): boolean {
    return space.store === this.shared.name;
  }
}
