import { z } from 'zod';
import { bodyOf } from './parameter-check';
import { EMBEDDING_PARAMETERS } from './parameters';
import { samplingFields } from './sampling.schema';

const MOST_INPUTS = 2_048;
const text = z.string().min(1, 'must not be empty');

export const embeddingsBody = bodyOf(EMBEDDING_PARAMETERS, {
  model: samplingFields.model,
  input: z.union([text, z.array(text).min(1, 'must not be empty').max(MOST_INPUTS)], {
    error: ({ input }) => faultOf(input),
  }),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).nullish(),
  input_type: z.enum(['query', 'document']).nullish(),
}).meta({ id: 'EmbeddingsRequest' });

export type EmbeddingsBody = z.infer<typeof embeddingsBody>;

/** A union by itself would only say that nothing fits. */
function faultOf(input: unknown): string {
  if (input === '' || (Array.isArray(input) && input.length === 0)) return 'must not be empty';
  if (!Array.isArray(input)) return 'must be a text or an array of texts';
  if (input.length > MOST_INPUTS) return `must be at most ${MOST_INPUTS} texts`;
  const at = input.findIndex((item) => typeof item !== 'string' || item === '');
  if (input[at] === '') return `must not be empty: text ${at} is`;
  const tokens = typeof input[at] === 'number' || Array.isArray(input[at]);
  return tokens ? 'must be a text or an array of texts: token arrays are not accepted' : 'must be a text or an array of texts';
}

export const embeddingsSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]).meta({ description: 'Numbers, or 32-bit floats (little-endian) as base64.' }),
      }),
    ),
    model: z.string().meta({ description: 'The model that embedded; an alias is resolved.' }),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .meta({ id: 'Embeddings' });
