import type { ModelStatus } from '@features/models';
import type { ModelCard } from '@kernel/models';
import { z } from 'zod';
import { listSchema } from '../http/page.schema';
import { jobSchema } from '../jobs/jobs.schema';

const slug = z.string().regex(/^[a-z0-9][a-z0-9._:-]{0,127}$/, 'a model id');

/** Models are listed by name and paged by their ids. */
export const modelsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'Models per page.' }),
  after: slug.optional().meta({ description: 'The id after which the page begins, in list order.' }),
  before: slug.optional().meta({ description: 'The id before which the page ends; not together with after.' }),
  order: z.enum(['asc', 'desc']).default('asc'),
});

export const modelSchema = z
  .object({
    id: z.string().meta({ example: 'smollm2-135m-instruct' }),
    kind: z.enum(['chat', 'embedding']),
    runtime: z.string().meta({ example: 'llama.cpp' }),
    grade: z.enum(['starter']).optional().meta({ description: 'A starter runs anywhere and knows little.' }),
    state: z.enum(['ready', 'missing', 'pulling', 'failed', 'unknown']).meta({ description: 'As the runtime reports it now.' }),
    loaded: z.boolean().meta({ description: 'Its weights are in memory.' }),
    size_bytes: z.int(),
    digest: z.string().nullable().meta({ description: '`sha256:…` of its file; null when nobody recorded it.' }),
    license: z.string(),
    languages: z.array(z.string()),
    context_length: z.int().meta({ description: 'Tokens.' }),
    capabilities: z.array(z.string()),
    dimensions: z.int().optional(),
    max_input_tokens: z.int().optional(),
    pooling: z.enum(['mean', 'cls', 'last']).optional(),
    query_prefix: z.string().optional(),
    document_prefix: z.string().optional(),
    threshold: z.number().optional().meta({ description: 'Cosine similarity from which a passage counts as found.' }),
  })
  .meta({ id: 'Model' });

export const modelStatusSchema = modelSchema
  .extend({
    running: z.int().meta({ description: 'Calls at work.' }),
    queued: z.int().meta({ description: 'Calls that wait.' }),
    tokens_per_second_recent: z.number().nullable().meta({ description: 'Over the last minute of work; null when there was none.' }),
    cold: z.boolean().meta({ description: 'The next call waits for its weights to be loaded.' }),
  })
  .meta({ id: 'ModelStatus' });

export const pullBody = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(300)
    .meta({ description: 'An id of the catalogue, or a name of Ollama that MODEL_ALLOW allows.', example: 'qwen3-1.7b' }),
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 digits of lower-case hexadecimal.')
    .optional()
    .meta({ description: 'Of the weights, as models show it: when others come under this name, they are not kept and the job fails.' }),
  accept_license: z
    .boolean()
    .default(true)
    .meta({ description: 'False: only asks. Pulling a model accepts its licence, which is recorded.' }),
});
export type PullBody = z.infer<typeof pullBody>;

export const pullSchema = z
  .object({
    model: z.object({
      id: z.string(),
      name: z.string().meta({ description: 'As its runtime calls it.' }),
      runtime: z.enum(['ollama', 'llama.cpp']),
      license: z.string(),
      size_bytes: z.int().meta({ description: 'As published; 0 when nobody knows before.' }),
    }),
    job: jobSchema,
  })
  .meta({ id: 'ModelPull' });

export const modelListSchema = listSchema('ModelList', modelSchema);

export function modelView(card: ModelCard): z.infer<typeof modelSchema> {
  const traits = card.embedding;
  return {
    id: card.id,
    kind: card.kind,
    runtime: card.runtime,
    ...(card.grade === undefined ? {} : { grade: card.grade }),
    state: card.state,
    loaded: card.loaded,
    size_bytes: card.sizeBytes,
    digest: card.digest,
    license: card.license,
    languages: card.languages,
    context_length: card.contextLength,
    capabilities: card.capabilities,
    ...(traits === undefined
      ? {}
      : {
          dimensions: traits.dimensions,
          max_input_tokens: traits.maxInputTokens,
          pooling: traits.pooling,
          query_prefix: traits.queryPrefix,
          document_prefix: traits.documentPrefix,
          threshold: traits.threshold,
        }),
  };
}

export function modelStatusView(status: ModelStatus): z.infer<typeof modelStatusSchema> {
  return {
    ...modelView(status),
    running: status.running,
    queued: status.queued,
    tokens_per_second_recent: status.tokensPerSecond === null ? null : Math.round(status.tokensPerSecond * 10) / 10,
    cold: !status.loaded,
  };
}
