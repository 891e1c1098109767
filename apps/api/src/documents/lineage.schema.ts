import type { DocumentLineage } from '@features/lineage';
import { listAnswer } from '@kernel/paging';
import { z } from 'zod';
import { listSchema } from '../http/page.schema';

export const lineageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'Chunks per page.' }),
  after: z.uuid().toLowerCase().optional().meta({ description: 'The id of the chunk after which the page begins.' }),
  answers: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'Most answers told of one chunk, the newest.' }),
});
export type LineageQueryParameters = z.infer<typeof lineageQuery>;

const lineageChunk = z.object({
  id: z.string(),
  current: z.boolean().meta({ description: 'False: of an earlier version, which answers still cite.' }),
  page: z.int().nullable(),
  start: z.int().meta({ description: 'UTF-16 code units of the extracted text.' }),
  end: z.int(),
  answers: z.array(
    z.object({
      id: z.uuid().meta({ description: 'The message.' }),
      session_id: z.uuid(),
      index: z.int().meta({ description: 'The number by which the answer names the chunk.' }),
      created_at: z.iso.datetime(),
    }),
  ),
  more_answers: z.boolean(),
});

export const lineageSchema = listSchema('DocumentLineage', lineageChunk)
  .extend({
    document: z.object({
      id: z.uuid(),
      name: z.string(),
      collection: z.string(),
      version: z.int().nullable().meta({ description: 'The version that searches see; null before there is one.' }),
    }),
  })
  .meta({ id: 'DocumentLineage' });

export function lineageView({ document, version, chunks, hasMore }: DocumentLineage): z.infer<typeof lineageSchema> {
  const data = chunks.map(({ answers, moreAnswers, ...chunk }) => ({
    ...chunk,
    answers: answers.map(({ id, sessionId, index, createdAt }) => ({
      id,
      session_id: sessionId,
      index,
      created_at: createdAt.toISOString(),
    })),
    more_answers: moreAnswers,
  }));
  const { id, name, collection } = document;
  return { document: { id, name, collection, version }, ...listAnswer({ data, hasMore }, (chunk) => chunk.id) };
}
