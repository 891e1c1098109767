import type { FoundPoint, Point } from '@features/vectors';
import type { ApiBodyOptions } from '@nestjs/swagger';
import { z } from 'zod';
import { listSchema } from '../http/page.schema';
import { jobSchema } from '../jobs/jobs.schema';

export const MOST_POINTS = 1_000;

/** The components are looked at where a fault can name the point. */
const vector = z
  .any()
  .refine((value) => typeof value === 'string' || Array.isArray(value) || ArrayBuffer.isView(value), 'must be a list of numbers or base64.')
  .meta({
    description: 'Numbers, or base64 of little-endian float32.',
    anyOf: [
      { type: 'array', items: { type: 'number' } },
      { type: 'string', contentEncoding: 'base64' },
    ],
  });
/** Likewise its members. */
const metadata = z
  .any()
  .meta({ type: 'object', description: 'Flat: at most 64 fields with strings, finite numbers, booleans or arrays of strings.' });
const filter = z.any().meta({
  type: 'object',
  description: '{ field: value } with $eq $ne $gt $gte $lt $lte $in $nin $exists, joined by $and $or $not.',
});
const pointId = z.string().min(1).max(400);

const sentPoint = z.strictObject({
  id: pointId.optional().meta({ description: 'Your own id, 1 to 200 characters; unset: made here.' }),
  vector: vector.optional(),
  text: z
    .string()
    .optional()
    .meta({ description: 'Found by its words, and embedded by the model of the collection when there is no vector.' }),
  metadata: metadata.optional(),
});

export const putPointsBody = z.strictObject({ points: z.array(sentPoint).min(1).max(MOST_POINTS) }).meta({ id: 'PutPoints' });
export type PutPointsBody = z.infer<typeof putPointsBody>;

/** The body for the OpenAPI document; in binary form the same as `4-byte length, JSON header { ids, dimensions, metadata? }, float32 rows`. */
export const PUT_CONTENT: ApiBodyOptions = {
  required: true,
  schema: {
    type: 'object',
    required: ['points'],
    additionalProperties: false,
    properties: {
      points: {
        type: 'array',
        minItems: 1,
        maxItems: MOST_POINTS,
        items: {
          type: 'object',
          additionalProperties: false,
          properties: {
            id: { type: 'string', minLength: 1, maxLength: 200, description: 'Your own id; unset: made here.' },
            vector: {
              description: 'Numbers, or base64 of little-endian float32.',
              anyOf: [{ type: 'array', items: { type: 'number' } }, { type: 'string' }],
            },
            text: {
              type: 'string',
              description: 'Found by its words, and embedded by the model of the collection when there is no vector.',
            },
            metadata: { type: 'object', additionalProperties: true },
          },
        },
      },
    },
  },
};

export const upsertedSchema = z.object({ upserted: z.int(), ids: z.array(z.string()) }).meta({ id: 'UpsertedPoints' });

export const acceptedPointsSchema = z.object({ job: jobSchema }).meta({ id: 'AcceptedPoints' });

export const changePointBody = z
  .strictObject({ metadata: metadata.refine((value) => value !== undefined, 'is required.') })
  .meta({ id: 'ChangePoint' });
export type ChangePointBody = z.infer<typeof changePointBody>;

export const listPointsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'Rows per page.' }),
  after: pointId.optional().meta({ description: 'The id after which the page begins, in list order.' }),
  before: pointId.optional().meta({ description: 'The id before which the page ends; not together with after.' }),
  order: z.enum(['asc', 'desc']).default('desc').meta({ description: 'By id, in the byte order of UTF-8.' }),
});
export type ListPointsQuery = z.infer<typeof listPointsQuery>;

const ids = z.array(pointId).min(1).max(MOST_POINTS);

export const getPointsBody = z.strictObject({ ids }).meta({ id: 'GetPoints' });
export type GetPointsBody = z.infer<typeof getPointsBody>;

export const selectPointsBody = z.strictObject({ filter: filter.optional(), ids: ids.optional() }).meta({ id: 'SelectPoints' });
export type SelectPointsBody = z.infer<typeof selectPointsBody>;

export const scrollPointsBody = z
  .strictObject({
    filter: filter.optional(),
    ids: ids.optional(),
    limit: z.int().min(1).max(MOST_POINTS).default(100),
    after: pointId.optional().meta({ description: 'The last id of the page before.' }),
  })
  .meta({ id: 'ScrollPoints' });
export type ScrollPointsBody = z.infer<typeof scrollPointsBody>;

const include = z.array(z.enum(['vector', 'metadata', 'text'])).max(3);

export const searchPointsBody = z
  .strictObject({
    vector: vector.optional(),
    text: z.string().min(1).max(32_000).optional(),
    mode: z.enum(['vector', 'text', 'hybrid']).optional().meta({ description: 'Unset: vector for a vector; hybrid for a text.' }),
    exact: z.boolean().optional().meta({ description: 'No approximate index.' }),
    limit: z.int().min(1).max(200).default(10),
    filter: filter.optional(),
    min_score: z.number().optional().meta({ description: 'The least vector score; not in mode text.' }),
    include: include.optional().meta({ description: 'What comes with each result; unset: metadata and text.' }),
  })
  .meta({ id: 'SearchPoints' });
export type SearchPointsBody = z.infer<typeof searchPointsBody>;
export type IncludedPart = 'vector' | 'metadata' | 'text';

const metadataSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]));
const place = {
  document_id: z.uuid().optional().meta({ description: 'The point is a chunk of this document, which alone can change it.' }),
  page: z.int().optional(),
  start: z.int().optional().meta({ description: 'UTF-16 code units of the text of the document.' }),
  end: z.int().optional(),
};

export const pointSchema = z
  .object({
    id: z.string(),
    vector: z.array(z.number()),
    text: z.string().optional(),
    metadata: metadataSchema,
    ...place,
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Point' });

export const pointListSchema = listSchema('PointList', pointSchema);
export const foundPointsSchema = z.object({ object: z.literal('list'), data: z.array(pointSchema) }).meta({ id: 'FoundPoints' });
export const countSchema = z.object({ count: z.int() }).meta({ id: 'PointCount' });
export const deletedSchema = z.object({ deleted: z.int() }).meta({ id: 'DeletedPoints' });

export const searchAnswerSchema = z
  .object({
    data: z.array(
      z.object({
        id: z.string(),
        score: z
          .number()
          .meta({ description: 'Higher is better: similarity, inner product, minus distance, BM25, or 0..1 in mode hybrid.' }),
        scores: z.object({ vector: z.number().nullable(), text: z.number().nullable() }).optional(),
        metadata: metadataSchema.optional(),
        text: z.string().optional(),
        vector: z.array(z.number()).optional(),
        ...place,
      }),
    ),
    took_ms: z.number(),
    mode: z.enum(['vector', 'text', 'hybrid']),
  })
  .meta({ id: 'PointSearch' });

/** The wire form of a point. */
export function pointView(point: Point): z.infer<typeof pointSchema> {
  return {
    id: point.id,
    vector: [...point.vector],
    ...(point.text === null ? {} : { text: point.text }),
    metadata: point.metadata,
    ...placeOf(point),
    created_at: point.createdAt.toISOString(),
    updated_at: point.updatedAt.toISOString(),
  };
}

/** The wire form of a result. */
export function foundView({ point, score, scores }: FoundPoint, parts: ReadonlySet<IncludedPart>, hybrid: boolean) {
  return {
    id: point.id,
    score,
    ...(hybrid ? { scores } : {}),
    ...(parts.has('metadata') ? { metadata: point.metadata } : {}),
    ...(parts.has('text') && point.text !== null ? { text: point.text } : {}),
    ...(parts.has('vector') ? { vector: [...point.vector] } : {}),
    ...placeOf(point),
  };
}

function placeOf({ documentId, page, start, end }: Point) {
  if (documentId === null) return {};
  return {
    document_id: documentId,
    ...(page === null ? {} : { page }),
    ...(start === null ? {} : { start }),
    ...(end === null ? {} : { end }),
  };
}
