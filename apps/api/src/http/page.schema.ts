import { z } from 'zod';

const cursor = z.uuid().toLowerCase();

/** The query of a list: keyset paging over ids, newest first. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'Rows per page.' }),
  after: cursor.optional().meta({ description: 'The id after which the page begins, in list order.' }),
  before: cursor.optional().meta({ description: 'The id before which the page ends; not together with after.' }),
  order: z.enum(['asc', 'desc']).default('desc'),
});

/** The answer of a list of `item`; `id` names the component in the OpenAPI document. */
export function listSchema<Item extends z.ZodType>(id: string, item: Item) {
  return z
    .object({
      object: z.literal('list'),
      data: z.array(item),
      first_id: z.string().nullable(),
      last_id: z.string().nullable(),
      has_more: z.boolean(),
    })
    .meta({ id });
}
