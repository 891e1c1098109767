import type { ChatChunk, ChatRequest, ModelCard } from '@kernel/models';
import { ThinkingFilter } from './thinking.filter';

/**
 * The stream of a model with its thoughts as chunks of their own. The template of a model that can think may have opened the block when it was
 * asked to think. What is held to JSON is no Markdown and holds no thoughts: a tag in there is part of a value.
 */
export async function* thoughtsApart(
  stream: AsyncIterable<ChatChunk>,
  { think, format }: Pick<ChatRequest, 'think' | 'format'>,
  { capabilities }: Pick<ModelCard, 'capabilities'>,
): AsyncGenerator<ChatChunk, void> {
  if (format !== undefined && format.type !== 'text') return yield* stream;
  const filter = new ThinkingFilter(think === true && capabilities.includes('thinking'));
  for await (const chunk of stream) {
    if (chunk.type === 'text') yield* filter.push(chunk.text);
    else {
      if (chunk.type === 'reasoning') yield* filter.separated();
      else if (chunk.type === 'end') yield* filter.end(chunk.finishReason === 'length');
      yield chunk;
    }
  }
}
