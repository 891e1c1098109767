import { Injectable } from '@nestjs/common';
import { Models, type UsageAccount } from '@features/models';
import type { ChatChunk, ModelCard } from '@kernel/models';
import type { CallWatch } from './call-watch';
import type { CompletionBody } from './completions.schema';
import { samplingOf } from './sampling.schema';

/** OpenAI's own default of this old address. */
const MAX_TOKENS = 16;

/** A piece of the continuation of one prompt; the last of each prompt is its `end`. */
export interface CompletionPart {
  prompt: number;
  chunk: Extract<ChatChunk, { type: 'text' | 'end' }>;
}

/** One call: what was asked, of whom, on whose account, for which client. */
export interface CompletionCall {
  body: CompletionBody;
  card: ModelCard;
  account: UsageAccount;
  watch: CallWatch;
}

/** Continues texts as they are, without a chat template, one prompt after the other. Errors: those of the models. */
@Injectable()
export class TextCompletions {
  constructor(private readonly models: Models) {}

  async *open({ body, card, account, watch }: CompletionCall): AsyncGenerator<CompletionPart, void> {
    for (const [index, prompt] of [body.prompt].flat().entries()) {
      const echo = body.echo === true;
      const request = {
        ...samplingOf(body),
        model: card.id,
        prompt,
        maxTokens: body.max_tokens ?? MAX_TOKENS,
        signal: watch.signal,
        onTokens: (_: number, outputTokens: number) => {
          if (outputTokens > 0) watch.begun();
        },
      };
      // The first prompt lets all of them in.
      const made = this.models.complete(request, account, index === 0 ? 'interactive' : 'admitted');
      yield* continued(made, index, echo ? prompt : '');
    }
  }
}

/** The echo goes out with the first word of the model, so that an early failure is an answer of its own. */
async function* continued(chunks: AsyncIterable<ChatChunk>, prompt: number, echo: string): AsyncGenerator<CompletionPart, void> {
  let before = echo;
  for await (const chunk of chunks) {
    if (chunk.type !== 'text' && chunk.type !== 'end') continue;
    if (before !== '') yield { prompt, chunk: { type: 'text', text: before } };
    before = '';
    yield { prompt, chunk };
  }
}
