import { randomUUID } from 'node:crypto';
import type { ModelCard } from '@kernel/models';
import { fingerprintOf } from './chat-completion-view';
import { CompletionFrames } from './completion-frames';
import type { Completion } from './completions.schema';
import { usageOf, type TokenCounts } from './sampling.schema';
import type { CompletionPart } from './text-completions.service';

/** Continued texts on their way into OpenAI's form, whole or in chunks. */
export class CompletionView {
  private readonly id = `cmpl-${randomUUID().replaceAll('-', '')}`;
  private readonly created = Math.floor(Date.now() / 1000);
  private readonly used: TokenCounts = { inputTokens: 0, outputTokens: 0 };

  constructor(
    private readonly card: ModelCard,
    private readonly prompts: number,
  ) {}

  async whole(parts: AsyncIterable<CompletionPart>): Promise<Completion> {
    const choices: Completion['choices'] = [];
    for await (const { prompt, chunk } of parts) {
      const choice = (choices[prompt] ??= { index: prompt, text: '', logprobs: null, finish_reason: 'stop' });
      if (chunk.type === 'text') choice.text += chunk.text;
      else choice.finish_reason = this.ended(chunk);
    }
    return { ...this.head(), object: 'text_completion', choices, usage: usageOf(this.used) };
  }

  chunks(includeUsage: boolean): (part: CompletionPart) => string {
    const frames = new CompletionFrames(this.head(), includeUsage);
    return ({ prompt: index, chunk }) => {
      if (chunk.type === 'text') return frames.choice({ index, text: chunk.text, logprobs: null, finish_reason: null });
      const last = frames.choice({ index, text: '', logprobs: null, finish_reason: this.ended(chunk) });
      return last + (includeUsage && index === this.prompts - 1 ? frames.usage(usageOf(this.used)) : '');
    };
  }

  private ended(end: Extract<CompletionPart['chunk'], { type: 'end' }>): 'stop' | 'length' {
    this.used.inputTokens += end.inputTokens;
    this.used.outputTokens += end.outputTokens;
    return end.finishReason === 'length' ? 'length' : 'stop';
  }

  private head() {
    const { id, created, card } = this;
    return { id, object: 'text_completion' as const, created, model: card.id, system_fingerprint: fingerprintOf(card) };
  }
}
