import type { VectorStore } from './vector-store';

/** The stores that the settings connect, by name. */
export abstract class VectorStores {
  /** In the contract's order; connected or not running at the moment, never one that is not set. */
  abstract readonly all: readonly VectorStore[];
  /** The store of new collections that name none. */
  abstract readonly usual: VectorStore;

  find(name: string): VectorStore | undefined {
    return this.all.find((store) => store.name === name);
  }
}
