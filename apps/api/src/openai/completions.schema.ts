import { z } from 'zod';
import { bodyOf } from './parameter-check';
import { COMPLETION_PARAMETERS } from './parameters';
import { samplingFields, usageSchema } from './sampling.schema';

const MOST_PROMPTS = 16;
const WANTED = 'must be a text or an array of texts';

export const completionBody = bodyOf(COMPLETION_PARAMETERS, {
  ...samplingFields,
  prompt: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(MOST_PROMPTS)], { error: ({ input }) => faultOf(input) }),
  echo: z.boolean().nullish(),
}).meta({ id: 'CompletionRequest' });

export type CompletionBody = z.infer<typeof completionBody>;

function faultOf(input: unknown): string {
  const prompts = Array.isArray(input) ? input : [input];
  if (prompts.length === 0 || prompts.includes('')) return 'must not be empty';
  if (prompts.some((prompt) => typeof prompt === 'number' || Array.isArray(prompt))) return `${WANTED}: token arrays are not accepted`;
  return prompts.length > MOST_PROMPTS ? `must be at most ${MOST_PROMPTS} texts` : WANTED;
}

export const completionSchema = z
  .object({
    id: z.string(),
    object: z.literal('text_completion'),
    created: z.int(),
    model: z.string().meta({ description: 'The model that wrote; an alias is resolved.' }),
    system_fingerprint: z.string().nullable(),
    choices: z.array(
      z.object({
        index: z.int().meta({ description: 'The prompt, counted from 0.' }),
        text: z.string(),
        logprobs: z.null(),
        finish_reason: z.enum(['stop', 'length']),
      }),
    ),
    usage: usageSchema,
  })
  .meta({ id: 'Completion' });

export type Completion = z.infer<typeof completionSchema>;
