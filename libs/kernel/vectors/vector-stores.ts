import { AppError } from '../errors';
import type { EmbeddingSpace, VectorStore } from './vector-store';

/** The stores that the settings connect, by name. */
export abstract class VectorStores {
  /** In the contract's order; connected or not running at the moment, never one that is not set. */
  abstract readonly all: readonly VectorStore[];
  /** The store of new collections that name none. */
  abstract readonly usual: VectorStore;

  find(name: string): VectorStore | undefined {
    return this.all.find((store) => store.name === name);
  }

  /** The store in which a space lies. Errors: `unavailable`, not retryable, when the settings do not connect it any more. */
  of({ store }: Pick<EmbeddingSpace, 'store'>): VectorStore {
    const found = this.find(store);
    if (found !== undefined) return found;
    throw new AppError('unavailable', `The vectors lie in ${store}, which is not connected: set ${store.toUpperCase()}_URL.`, {
      retryable: false,
    });
  }
}
