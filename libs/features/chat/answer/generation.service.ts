import { Injectable } from '@nestjs/common';
import { Models } from '@features/models';
import type { Passage } from '@features/vectors';
import type { ChatChunk } from '@kernel/models';
import type { FinishReason, MessageUsage } from '../chat-message.entity';
import { NO_USAGE, type AnswerTask } from './answer-task';
import { ContextFit } from './context-fit.service';
import type { Draft } from './prompt';

/** The end of a generation; before it ended, what is known so far. */
export interface Generated {
  usage: MessageUsage;
  finishReason: FinishReason;
}

export interface Generation {
  text: AsyncIterable<string>;
  /** Passages that fit into the prompt. */
  passages: Passage[];
  /** Read when the text has ended. */
  end(): Generated;
}

const STARTER_TOKENS = 160;
const TOKENS = 1_024;
/** The answer takes no more than this share of the context unless it is asked to. */
const CONTEXT_SHARE = 4;
const TEMPERATURE = 0.7;

/** Asks the model: prompt fitted to its context, options with their defaults, text as it comes. */
@Injectable()
export class AnswerGeneration {
  constructor(
    private readonly models: Models,
    private readonly fit: ContextFit,
  ) {}

  async start(task: AnswerTask, draft: Draft): Promise<Generation> {
    const { card, context, account } = task;
    const { options } = context.payload;
    const maxTokens =
      options.max_tokens ?? (draft.starter ? STARTER_TOKENS : Math.min(TOKENS, Math.floor(card.contextLength / CONTEXT_SHARE)));
    const { turns, passages } = await this.fit.fit(card, draft, maxTokens, context.signal);
    const exact = card.grade === 'starter' || passages.length > 0;
    const stream = this.models.chat(
      {
        model: card.id,
        turns,
        maxTokens,
        temperature: options.temperature ?? (exact ? 0 : TEMPERATURE),
        seed: options.seed,
        stop: options.stop,
        signal: context.signal,
      },
      account,
    );
    const ended: Generated = { usage: NO_USAGE, finishReason: 'stop' };
    return { text: textOf(stream, ended), passages, end: () => ended };
  }
}

async function* textOf(stream: AsyncIterable<ChatChunk>, ended: Generated): AsyncGenerator<string> {
  for await (const chunk of stream) {
    if (chunk.type === 'text') yield chunk.text;
    else if (chunk.type === 'end') {
      ended.usage = { input_tokens: chunk.inputTokens, output_tokens: chunk.outputTokens, seconds: chunk.seconds };
      // No tools are offered here.
      ended.finishReason = chunk.finishReason === 'length' ? 'length' : 'stop';
    }
  }
}
