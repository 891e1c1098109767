import { Injectable } from '@nestjs/common';
import { Models } from '@features/models';
import { AppError } from '@kernel/errors';
import { VectorStore, type EmbeddingSpace, type Metric } from '@kernel/vectors';
import type { Collection } from './collection';
import { Collections } from './collections.service';

/** What a new collection shall hold: the vectors of a model (unset: the default one), or vectors of these dimensions that users bring. */
export interface WantedSpace {
  store?: string;
  model?: string;
  dimensions?: number;
  metric?: Metric;
}

/** Which embedding space a collection gets. Errors: `invalid`, `unprocessable` (store, dimensions), `unavailable` (model). */
@Injectable()
export class CollectionSpaces {
  constructor(
    private readonly collections: Collections,
    private readonly models: Models,
    private readonly store: VectorStore,
  ) {}

  /** The space of a collection; one that has none yet gets that of the default model. */
  async of(collection: Collection): Promise<EmbeddingSpace> {
    return collection.space ?? this.collections.spaceFor(collection, await this.models.resolve('embedding'));
  }

  async wanted({ store, model, dimensions, metric = 'cosine' }: WantedSpace): Promise<EmbeddingSpace> {
    if (store !== undefined && store !== this.store.name) throw fault('store', `${store} is not connected; ${this.store.name} is.`);
    if (model !== undefined && dimensions !== undefined)
      throw AppError.field('invalid', 'dimensions', 'cannot be given with model: the model decides.');
    const { maxDimensions } = this.store.capabilities;
    if (dimensions !== undefined) {
      if (dimensions > maxDimensions) throw fault('dimensions', `must be at most ${maxDimensions} in ${this.store.name}.`);
      return this.collections.makeSpace({ model: null, dimensions, metric });
    }
    const card = await this.models.resolve('embedding', model);
    if (card.embedding === undefined) throw fault('model', `${card.id} does not say how many dimensions its vectors have.`);
    return this.collections.makeSpace({ model: card.id, dimensions: card.embedding.dimensions, metric });
  }
}

function fault(path: string, message: string): AppError {
  return AppError.field('unprocessable', path, message);
}
