import { Injectable } from '@nestjs/common';
import { Models } from '@features/models';
import type { ChatChunk, ModelCard } from '@kernel/models';
import type { AnswerPart } from './answer-part';
import type { AnswerCall } from './answer-call';
import { askedCompletion, type AskedCompletion } from './chat-request';
import { GroundedCompletions } from './grounded-completions.service';
import { samplingOf, type TokenCounts } from './sampling.schema';

/** Tokens for the sentences around the description of tools. */
const TOOL_SENTENCES = 256;

/**
 * Answers of the OpenAI-compatible chat: straight from the model, or grounded in collections. The parts come as they are made; the last is `end`.
 * Errors: `invalid` naming the parameter, `not_found` (a collection), `context_length_exceeded`, and those of the models.
 */
@Injectable()
export class ChatAnswers {
  constructor(
    private readonly models: Models,
    private readonly grounded: GroundedCompletions,
  ) {}

  async open(call: AnswerCall): Promise<AsyncGenerator<AnswerPart, void>> {
    const asked = askedCompletion(call.body, call.card);
    await this.models.assertRoom(call.card.id, call.account, call.watch.signal);
    const grounded = (call.body.collections ?? []).length > 0;
    return grounded ? this.grounded.open(call, asked) : this.free(call, asked);
  }

  private async free({ body, card, account, watch }: AnswerCall, asked: AskedCompletion): Promise<AsyncGenerator<AnswerPart, void>> {
    const { turns, format, tools, toolChoice, think } = asked;
    const used: TokenCounts = { inputTokens: 0, outputTokens: 0 };
    const onTokens = (inputTokens: number, outputTokens: number): void => {
      Object.assign(used, { inputTokens, outputTokens });
      if (outputTokens > 0) watch.begun();
    };
    const maxTokens = asked.maxTokens ?? (await this.room(asked, card, watch.signal));
    const request = { model: card.id, turns, maxTokens, format, tools, toolChoice, think, onTokens, signal: watch.signal };
    const parts = this.models.chat({ ...samplingOf(body), ...request }, account);
    return asked.manyCalls ? parts : untilFirstCall(parts, used);
  }

  /** Tokens that the prompt leaves of the context; at least one, so that the runtime says what is too long. */
  private async room({ turns, tools }: AskedCompletion, card: ModelCard, signal: AbortSignal): Promise<number> {
    const prompt = await this.models.countPromptTokens(card.id, turns, signal);
    const described = tools === undefined ? 0 : (await this.countTools(card.id, tools, signal)) + TOOL_SENTENCES;
    return Math.max(1, card.contextLength - prompt - described);
  }

  private async countTools(model: string, tools: object[], signal: AbortSignal): Promise<number> {
    const [count = 0] = await this.models.countTokens(model, [JSON.stringify(tools)], signal);
    return count;
  }
}

/** Ends the model's work with its first call. */
async function* untilFirstCall(parts: AsyncIterable<ChatChunk>, used: TokenCounts): AsyncGenerator<AnswerPart, void> {
  for await (const part of parts) {
    yield part;
    if (part.type !== 'tool_call') continue;
    yield { type: 'end', finishReason: 'tool_calls', ...used, seconds: 0 };
    return;
  }
}
