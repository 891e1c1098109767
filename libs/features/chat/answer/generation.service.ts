import { Injectable } from '@nestjs/common';
import { Models } from '@features/models';
import type { Passage } from '@features/vectors';
import type { ChatChunk } from '@kernel/models';
import { NO_USAGE, type AnswerSink, type AnswerTask, type FinishedAnswer } from './answer-task';
import { answerTokens } from './answer-tokens';
import { ContextFit } from './context-fit.service';
import type { Draft } from './prompt';

/** The end of a generation; before it ended, what is known so far. */
export type Generated = Pick<FinishedAnswer, 'reasoning' | 'usage' | 'finishReason'>;

export interface Generation {
  text: AsyncIterable<string>;
  /** Passages that fit into the prompt. */
  passages: Passage[];
  /** Read when the text has ended. */
  end(): Generated;
}

const TEMPERATURE = 0.7;

/** Asks the model: prompt fitted to its context, options with their defaults, text as it comes. */
@Injectable()
export class AnswerGeneration {
  constructor(
    private readonly models: Models,
    private readonly fit: ContextFit,
  ) {}

  async start(task: AnswerTask, draft: Draft): Promise<Generation> {
    const { card, options, signal, account } = task.request;
    const maxTokens = answerTokens(task.request, draft.starter);
    const { turns, passages } = await this.fit.fit(card, draft, maxTokens, signal);
    const exact = card.grade === 'starter' || passages.length > 0;
    const stream = this.models.chat(
      {
        model: card.id,
        turns,
        maxTokens,
        temperature: options.temperature ?? (exact ? 0 : TEMPERATURE),
        topP: options.top_p,
        seed: options.seed,
        stop: options.stop,
        think: options.think ?? false,
        signal,
      },
      account,
    );
    const ended: Generated = { reasoning: null, usage: NO_USAGE, finishReason: 'stop' };
    return { text: textOf(stream, ended, task.sink), passages, end: () => ended };
  }
}

/** The text of the answer; what the model thinks goes to the sink by itself. */
async function* textOf(stream: AsyncIterable<ChatChunk>, ended: Generated, sink: AnswerSink): AsyncGenerator<string> {
  for await (const chunk of stream) {
    if (chunk.type === 'text') yield chunk.text;
    else if (chunk.type === 'reasoning') {
      ended.reasoning = (ended.reasoning ?? '') + chunk.text;
      await sink.reasoning(chunk.text);
    } else if (chunk.type === 'end') {
      ended.usage = { input_tokens: chunk.inputTokens, output_tokens: chunk.outputTokens, seconds: chunk.seconds };
      // No tools are offered here.
      ended.finishReason = chunk.finishReason === 'length' ? 'length' : 'stop';
    }
  }
}
