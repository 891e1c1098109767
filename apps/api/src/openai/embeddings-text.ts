import { setImmediate } from 'node:timers/promises';
import type { EmbedAnswer, ModelCard } from '@kernel/models';

/** Vectors written in one go; other requests get their turn after them. */
const AT_ONCE = 32;

/** The answer as JSON. Thousands of vectors as numbers are megabytes of digits: they are written piece by piece, so that nobody waits for all of them. */
export async function embeddingsText({ vectors, inputTokens }: EmbedAnswer, card: ModelCard, base64: boolean): Promise<string> {
  const items: string[] = [];
  for (const [index, vector] of vectors.entries()) {
    const embedding = base64 ? base64Of(vector) : Array.from(vector);
    items.push(JSON.stringify({ object: 'embedding', index, embedding }));
    if (index % AT_ONCE === AT_ONCE - 1) await setImmediate();
  }
  const usage = { prompt_tokens: inputTokens, total_tokens: inputTokens };
  return `{"object":"list","data":[${items.join(',')}],"model":${JSON.stringify(card.id)},"usage":${JSON.stringify(usage)}}`;
}

function base64Of(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}
