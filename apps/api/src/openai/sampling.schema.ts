import { z } from 'zod';

/** More than any context holds: what is larger is no number of tokens. */
export const MOST_TOKENS = 1_000_000;
const stopText = z.string().max(200);

/** Fields that chat and plain completion have in common, with OpenAI's ranges. */
export const samplingFields = {
  model: z.string().min(1).max(256),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: z.int().min(1).max(MOST_TOKENS).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  seed: z.int().nullish(),
  stop: z.union([stopText, z.array(stopText).max(4)], 'must be a text or at most 4 texts, of at most 200 characters').nullish(),
};

/** OpenAI's default is 1, at which small local models lose the thread. */
export const TEMPERATURE = 0.7;

interface Sampling {
  temperature?: number | null;
  top_p?: number | null;
  seed?: number | null;
  stop?: string | string[] | null;
}

/** The same in the words of the runtimes. */
export function samplingOf({ temperature, top_p, seed, stop }: Sampling) {
  const texts = [stop ?? []].flat().filter((text) => text !== '');
  return {
    temperature: temperature ?? TEMPERATURE,
    topP: top_p ?? undefined,
    seed: seed ?? undefined,
    stop: texts.length === 0 ? undefined : texts,
  };
}

export const usageSchema = z
  .object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() })
  .meta({ id: 'OpenAiUsage' });

export interface TokenCounts {
  inputTokens: number;
  outputTokens: number;
}

export function usageOf({ inputTokens, outputTokens }: TokenCounts): z.infer<typeof usageSchema> {
  return { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens };
}
