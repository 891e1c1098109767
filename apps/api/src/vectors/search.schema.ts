import type { Passage } from '@features/vectors';
import { z } from 'zod';

export const searchPassagesBody = z
  .strictObject({
    query: z
      .string()
      .max(32_000)
      .refine((text) => text.trim() !== '', 'must not be blank'),
    collections: z
      .array(z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be the name of a collection'))
      .min(1)
      .max(16),
    limit: z.int().min(1).max(200).default(10),
  })
  .meta({ id: 'SearchPassages' });
export type SearchPassagesBody = z.infer<typeof searchPassagesBody>;

const passageSchema = z
  .object({
    id: z.string().meta({ description: 'The chunk, a point of its collection.' }),
    collection: z.string(),
    document_id: z.uuid(),
    document: z.string(),
    page: z.int().optional(),
    start: z.int().meta({ description: 'UTF-16 code units of the text of the document.' }),
    end: z.int(),
    heading: z.string().optional(),
    text: z.string(),
    score: z.number().meta({ description: 'Both searches fused, 0..1.' }),
    scores: z.object({ vector: z.number().nullable(), text: z.number().nullable() }),
    found: z.boolean().meta({ description: 'Near enough to be the source of an answer.' }),
  })
  .meta({ id: 'Passage' });

export const passagesSchema = z.object({ data: z.array(passageSchema), took_ms: z.number() }).meta({ id: 'Passages' });

/** The wire form of a passage; `name` is that of its collection. */
export function passageView(passage: Passage, name: string): z.infer<typeof passageSchema> {
  return {
    id: passage.id,
    collection: name,
    document_id: passage.documentId,
    document: passage.document,
    ...(passage.page === null ? {} : { page: passage.page }),
    start: passage.start,
    end: passage.end,
    ...(passage.heading === null ? {} : { heading: passage.heading }),
    text: passage.text,
    score: passage.score,
    scores: passage.scores,
    found: passage.found,
  };
}
