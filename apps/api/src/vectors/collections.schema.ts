import type { CountedCollection } from '@features/vectors';
import { z } from 'zod';
import { listSchema } from '../http/page.schema';

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

const language = z
  .string()
  .regex(/^[a-z]{2}$/, 'must be a language of two letters (ISO 639-1).')
  .nullable()
  .meta({ description: 'ISO 639-1; null: detected for each text.' });
const description = z.string().max(2_000).nullable();
const metric = z.enum(['cosine', 'dot', 'l2']);

export const createCollectionBody = z
  .strictObject({
    name: z.string().regex(NAME, 'must be lower-case letters, digits, _ and -, at most 63, beginning with a letter or digit.'),
    store: z.string().max(63).optional().meta({ description: 'Where the vectors lie; see GET /api/v1/vectors/stores.' }),
    model: z.string().min(1).max(128).optional().meta({ description: 'The embedding model of its texts; unset: the default one.' }),
    dimensions: z.int().min(1).max(4_096).optional().meta({ description: 'Instead of a model: the length of vectors that you bring.' }),
    metric: metric.optional().meta({ description: 'How near two vectors are; cosine unless set.' }),
    language: language.optional(),
    description: description.optional(),
  })
  .meta({ id: 'CreateCollection' });
export type CreateCollectionBody = z.infer<typeof createCollectionBody>;

export const changeCollectionBody = z
  .strictObject({ language: language.optional(), description: description.optional() })
  .meta({ id: 'ChangeCollection' });
export type ChangeCollectionBody = z.infer<typeof changeCollectionBody>;

const cursor = z.string().min(1).max(63);

export const listCollectionsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'Rows per page.' }),
  after: cursor.optional().meta({ description: 'The name after which the page begins, in list order.' }),
  before: cursor.optional().meta({ description: 'The name before which the page ends; not together with after.' }),
  order: z.enum(['asc', 'desc']).default('asc'),
});
export type ListCollectionsQuery = z.infer<typeof listCollectionsQuery>;

export const collectionSchema = z
  .object({
    name: z.string(),
    language: z.string().nullable(),
    description: z.string().nullable(),
    store: z.string().nullable(),
    space: z
      .object({
        model: z.string().nullable().meta({ description: 'Null: the vectors are brought by users.' }),
        dimensions: z.int(),
        metric,
        version: z.int(),
      })
      .nullable()
      .meta({ description: 'What the vectors are; null until the first one comes.' }),
    counts: z.object({
      points: z.int().meta({ description: 'Your points and the chunks of documents that can be found.' }),
      documents: z.int(),
    }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Collection' });

export const collectionListSchema = listSchema('CollectionList', collectionSchema);

const storeSchema = z
  .object({
    name: z.enum(['pgvector', 'chroma', 'qdrant', 'faiss']),
    status: z.enum(['up', 'degraded', 'down', 'disabled']),
    location: z.enum(['embedded', 'remote']).nullable(),
    default: z.boolean().meta({ description: 'Whether new collections go there.' }),
    capabilities: z
      .object({
        metrics: z.array(metric),
        max_dimensions: z.int(),
        exact: z.boolean().meta({ description: 'Honours exact: true.' }),
        filters: z.boolean().meta({ description: 'Filters are part of the search, not applied to its result.' }),
      })
      .nullable(),
  })
  .meta({ id: 'VectorStore' });
export type StoreView = z.infer<typeof storeSchema>;

export const storeListSchema = z.object({ object: z.literal('list'), data: z.array(storeSchema) }).meta({ id: 'VectorStoreList' });

/** The wire form of a collection. */
export function collectionView(collection: CountedCollection): z.infer<typeof collectionSchema> {
  const { space, counts } = collection;
  return {
    name: collection.name,
    language: collection.language,
    description: collection.description,
    store: space?.store ?? null,
    space: space === null ? null : { model: space.model, dimensions: space.dimensions, metric: space.metric, version: space.version },
    counts: { points: counts.points, documents: counts.documents },
    created_at: collection.createdAt.toISOString(),
    updated_at: collection.updatedAt.toISOString(),
  };
}
