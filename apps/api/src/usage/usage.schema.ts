import type { UsageAnswer, UsageGroup, UsageTotals } from '@features/usage';
import { z } from 'zod';

const GROUPS = ['day', 'model', 'user', 'key', 'operation'] as const satisfies readonly UsageGroup[];
const DAY = 86_400_000;
const moment = z.union([z.iso.date(), z.iso.datetime({ offset: true })], 'must be a date (2026-01-31) or a time with its zone.');

export const usageQuery = z.strictObject({
  from: moment.optional().meta({ description: 'First moment, or a day (UTC) from its begin; 30 days before `to` when left out.' }),
  to: moment.optional().meta({ description: 'The moment before which it ends, or a day (UTC) to its end; now when left out.' }),
  group_by: z.enum(GROUPS).default('day'),
});
export type UsageQuery = z.infer<typeof usageQuery>;

const totals = {
  calls: z.int(),
  input_tokens: z.int(),
  output_tokens: z.int(),
  seconds: z.number().meta({ description: 'Of work by models.' }),
};

export const usageSchema = z
  .object({
    object: z.literal('usage'),
    from: z.iso.datetime(),
    to: z.iso.datetime().meta({ description: 'Not included any more.' }),
    group_by: z.enum(GROUPS),
    data: z
      .array(
        z.object({
          group: z
            .string()
            .nullable()
            .meta({ description: 'The day, model or operation, or the id of the user or key; null: without a key.' }),
          name: z.string().nullable().meta({ description: 'E-mail of the user, or name of the key.' }),
          ...totals,
        }),
      )
      .meta({ description: 'Days in their order, other groups by tokens, most first.' }),
    total: z.object(totals),
    has_more: z.boolean().meta({ description: 'There are more than 1,000 groups; the total counts all.' }),
  })
  .meta({ id: 'Usage' });

/** The first moment of what was written. */
export function begin(text: string): Date {
  return new Date(text);
}

/** The first moment after what was written: a day ends with it. */
export function end(text: string): Date {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(Date.parse(text) + DAY) : new Date(text);
}

export function usageView(groupBy: UsageGroup, answer: UsageAnswer): z.infer<typeof usageSchema> {
  return {
    object: 'usage',
    from: answer.from.toISOString(),
    to: answer.to.toISOString(),
    group_by: groupBy,
    data: answer.groups.map(({ group, name, ...sums }) => ({ group, name, ...totalsView(sums) })),
    total: totalsView(answer.total),
    has_more: answer.hasMore,
  };
}

function totalsView({ calls, inputTokens, outputTokens, seconds }: UsageTotals) {
  return { calls, input_tokens: inputTokens, output_tokens: outputTokens, seconds: Math.round(seconds * 1_000) / 1_000 };
}
