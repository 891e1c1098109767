import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { ModelCard } from '@kernel/models';
import { VectorStores, type EmbeddingSpace } from '@kernel/vectors';
import type { Collection } from './collection';
import { CollectionsRepository } from './collections.repository';
import { SpaceStores } from './stores/space-stores.service';

/** The collection that every workspace has from its first moment. */
export const DEFAULT_COLLECTION = 'default';

/** Named sets of points, and the embedding spaces behind them. Errors: `not_found` naming the collection. */
@Injectable()
export class Collections {
  constructor(
    private readonly repository: CollectionsRepository,
    private readonly stores: VectorStores,
    private readonly spaceStores: SpaceStores,
  ) {}

  /** Part of the transaction that makes a workspace. */
  async createDefault(connection: Queryable, workspaceId: string, ownerId: string): Promise<void> {
    await this.repository.insert(connection, workspaceId, ownerId, DEFAULT_COLLECTION);
  }

  /** The collections of those names, in the order of the names. */
  async resolve(workspaceId: string, names: string[]): Promise<Collection[]> {
    const wanted = [...new Set(names)];
    if (wanted.length === 0) return [];
    const found = new Map((await this.repository.byNames(workspaceId, wanted)).map((c) => [c.name, c]));
    return wanted.map((name) => {
      const collection = found.get(name);
      if (collection === undefined) throw AppError.notFound(`The collection '${name}'`);
      return collection;
    });
  }

  async named(workspaceId: string, name: string): Promise<Collection> {
    const [collection] = await this.resolve(workspaceId, [name]);
    if (collection === undefined) throw AppError.notFound(`The collection '${name}'`);
    return collection;
  }

  async get(id: string): Promise<Collection> {
    const collection = await this.repository.byId(id);
    if (collection === undefined) throw AppError.notFound('The collection');
    return collection;
  }

  /** The space of a collection; a collection that has none yet gets the one of `model`. Safe when several callers are first together. */
  async spaceFor(collection: Collection, model: ModelCard): Promise<EmbeddingSpace> {
    const traits = model.embedding;
    if (traits === undefined) throw AppError.field('invalid', 'model', `${model.id} is not an embedding model.`);
    let space = collection.space;
    if (space !== null && space.model === null)
      throw AppError.field(
        'unprocessable',
        'collection',
        `'${collection.name}' holds vectors that its users bring: texts need a collection with a model.`,
      );
    if (space === null) {
      const store = this.stores.usual.name;
      const made = await this.makeSpace({ store, model: model.id, dimensions: traits.dimensions, metric: 'cosine' });
      await this.repository.adoptSpace(collection.id, made.id);
      space = (await this.get(collection.id)).space ?? made;
    }
    await this.spaceStores.ready(space);
    return space;
  }

  /** The space of these vectors in their store, ready to be written to. */
  async makeSpace(wanted: Pick<EmbeddingSpace, 'store' | 'model' | 'dimensions' | 'metric'>): Promise<EmbeddingSpace> {
    this.stores.of(wanted).assertReachable();
    const space = await this.repository.findOrInsertSpace({ ...wanted, version: 1 });
    await this.spaceStores.ready(space);
    return space;
  }
}
