import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { EmbeddingSpace, StoredVector } from '@kernel/vectors';
import { PointsRepository } from '../points.repository';
import { SpaceStores } from './space-stores.service';
import { StoreChanges, type ClaimedChanges } from './store-changes.repository';

/** For how long a writer waits for somebody else who has one of its points in hand, and how often it looks. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 20;

/** Brings changes of the ledger to the stores that follow it. Errors: what the store throws; the change is then kept for later. */
@Injectable()
export class StoreDelivery {
  constructor(
    private readonly stores: SpaceStores,
    private readonly changes: StoreChanges,
    private readonly points: PointsRepository,
  ) {}

  /** Vectors of claimed points, as its holder has them or as the ledger has them now; points that the ledger lost leave the store. */
  async deliver(claimed: ClaimedChanges, vectors?: StoredVector[]): Promise<void> {
    const { space } = claimed;
    try {
      const store = await this.stores.ready(space);
      const ids = claimed.changes.map((change) => change.physicalId);
      const living = vectors ?? (await this.points.vectors(ids));
      const there = new Set(living.map((vector) => vector.physicalId));
      await store.upsert(space, living);
      await store.delete(
        space,
        ids.filter((id) => !there.has(id)),
      );
    } catch (error) {
      this.stores.doubt(space);
      await this.changes.release(claimed).catch(() => undefined);
      throw error;
    }
    await this.changes.applied(claimed);
  }

  /** Resolves when the store has what the ledger has of these points, whoever brought it. */
  async settle(space: EmbeddingSpace, physicalIds: string[]): Promise<void> {
    if (physicalIds.length === 0) return;
    for (const deadline = performance.now() + PATIENCE_MS; ; await delay(LOOK_MS)) {
      const claim = randomUUID();
      const changes = await this.changes.claim(space, physicalIds, claim);
      if (changes.length > 0) await this.deliver({ claim, space, changes });
      if ((await this.changes.pending(space, physicalIds)) === 0) return;
      if (performance.now() > deadline)
        throw new AppError('unavailable', `Others write the same points: ${space.store} does not have them yet.`, { retryAfterSeconds: 2 });
    }
  }
}
