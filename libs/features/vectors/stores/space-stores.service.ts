import { Injectable } from '@nestjs/common';
import { VectorStores, type EmbeddingSpace, type VectorStore } from '@kernel/vectors';

/** The stores of embedding spaces. Errors: `unavailable` (not connected, or away). */
@Injectable()
export class SpaceStores {
  private readonly ensured = new Set<string>();

  constructor(private readonly stores: VectorStores) {}

  of(space: EmbeddingSpace): VectorStore {
    return this.stores.of(space);
  }

  /** The space's store, ready to be written to; refuses at once when it is known to be away. */
  async ready(space: EmbeddingSpace): Promise<VectorStore> {
    const store = this.stores.of(space);
    store.assertReachable();
    if (!this.ensured.has(space.id)) {
      await store.ensureSpace(space);
      this.ensured.add(space.id);
    }
    return store;
  }

  /** Something failed: whether the space is still there is looked up before the next write. */
  doubt(space: EmbeddingSpace): void {
    this.ensured.delete(space.id);
  }
}
