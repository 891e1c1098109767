import { Injectable } from '@nestjs/common';
import { Models } from '@features/models';
import { AppError } from '@kernel/errors';
import { VectorStores, type EmbeddingSpace, type Metric, type VectorStore } from '@kernel/vectors';
import type { Collection } from './collection';
import { Collections } from './collections.service';
import { SpaceStores } from './stores/space-stores.service';

/** What a new collection shall hold: the vectors of a model (unset: the default one), or vectors of these dimensions that users bring. */
export interface WantedSpace {
  store?: string;
  model?: string;
  dimensions?: number;
  metric?: Metric;
}

/** Which embedding space a collection gets. Errors: `invalid`, `unprocessable` (store, metric, dimensions), `unavailable` (model, store). */
@Injectable()
export class CollectionSpaces {
  constructor(
    private readonly collections: Collections,
    private readonly models: Models,
    private readonly stores: VectorStores,
    private readonly spaceStores: SpaceStores,
  ) {}

  /** The space of a collection, ready to be written to; a collection that has none yet gets that of the default model. */
  async of(collection: Collection): Promise<EmbeddingSpace> {
    if (collection.space === null) return this.collections.spaceFor(collection, await this.models.resolve('embedding'));
    await this.spaceStores.ready(collection.space);
    return collection.space;
  }

  async wanted({ store: named, model, dimensions, metric = 'cosine' }: WantedSpace): Promise<EmbeddingSpace> {
    const store = this.chosen(named);
    if (model !== undefined && dimensions !== undefined)
      throw AppError.field('invalid', 'dimensions', 'cannot be given with model: the model decides.');
    const { maxDimensions, metrics } = store.capabilities;
    if (!metrics.includes(metric)) throw fault('metric', `${store.name} knows ${listed(metrics)} only.`);
    if (dimensions !== undefined) {
      if (dimensions > maxDimensions) throw fault('dimensions', `must be at most ${maxDimensions} in ${store.name}.`);
      return this.collections.makeSpace({ store: store.name, model: null, dimensions, metric });
    }
    const card = await this.models.resolve('embedding', model);
    if (card.embedding === undefined) throw fault('model', `${card.id} does not say how many dimensions its vectors have.`);
    const { dimensions: length } = card.embedding;
    if (length > maxDimensions)
      throw fault('model', `${card.id} makes vectors of ${length} dimensions; ${store.name} takes ${maxDimensions}.`);
    return this.collections.makeSpace({ store: store.name, model: card.id, dimensions: length, metric });
  }

  private chosen(name: string | undefined): VectorStore {
    const store = name === undefined ? this.stores.usual : this.stores.find(name);
    if (store !== undefined) return store;
    const names = this.stores.all.map((each) => each.name);
    throw fault('store', `${JSON.stringify(name)} is not connected; ${listed(names)} ${names.length === 1 ? 'is' : 'are'}.`);
  }
}

function listed(names: string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function fault(path: string, message: string): AppError {
  return AppError.field('unprocessable', path, message);
}
