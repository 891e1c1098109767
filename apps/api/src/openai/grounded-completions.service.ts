import { Injectable } from '@nestjs/common';
import { GroundedAnswers, type Citation, type GroundedRequest } from '@features/chat';
import { Collections } from '@features/vectors';
import { AppError } from '@kernel/errors';
import type { ChatTurn } from '@kernel/models';
import type { AnswerPart } from './answer-part';
import type { AnswerCall } from './answer-call';
import type { AskedCompletion } from './chat-request';
import { handoff } from './handoff';

/** Most passages of an answer, as in the native API when nothing is said. */
const TOP_K = 6;

/** Answers from the documents of collections (the extension `collections`), with the same grounding as the native chat; its citations come before the end. */
@Injectable()
export class GroundedCompletions {
  constructor(
    private readonly answers: GroundedAnswers,
    private readonly collections: Collections,
  ) {}

  async open(call: AnswerCall, asked: AskedCompletion): Promise<AsyncGenerator<AnswerPart, void>> {
    if (asked.tools !== undefined || asked.format !== undefined) throw misfit('cannot be used together with tools or response_format.');
    const request = await this.request(call, asked);
    return handoff<AnswerPart>((push) => this.write(request, call, push));
  }

  private async write(request: GroundedRequest, { watch }: AnswerCall, push: (part: AnswerPart) => Promise<void>): Promise<void> {
    const citations = async (list: Citation[], final: boolean): Promise<void> => {
      if (final) await push({ type: 'citations', citations: list });
    };
    const said = (type: 'text' | 'reasoning') => (text: string) => {
      watch.begun();
      return push({ type, text });
    };
    const { finishReason, usage } = await this.answers.write(request, { citations, delta: said('text'), reasoning: said('reasoning') });
    const { input_tokens: inputTokens, output_tokens: outputTokens, seconds } = usage;
    await push({ type: 'end', finishReason: finishReason === 'length' ? 'length' : 'stop', inputTokens, outputTokens, seconds });
  }

  private async request({ body, card, account, watch }: AnswerCall, asked: AskedCompletion): Promise<GroundedRequest> {
    const question = asked.turns.at(-1);
    if (question?.role !== 'user') throw misfit('need a question: the last message must be from the user.');
    if (asked.turns.some(({ role, toolCalls }) => role === 'tool' || toolCalls !== undefined))
      throw misfit('cannot follow calls of tools.');
    const system = asked.turns.filter(({ role }) => role === 'system').map(({ content }) => content);
    const { temperature, seed, stop, top_p: topP } = body;
    return {
      question: question.content,
      history: asked.turns.slice(0, -1).filter(isSaid),
      system: system.length === 0 ? null : system.join('\n\n'),
      collections: await this.named(account.workspaceId, body.collections ?? []),
      topK: TOP_K,
      options: {
        temperature: temperature ?? undefined,
        max_tokens: asked.maxTokens,
        seed: seed ?? undefined,
        stop: stop ? [stop].flat() : undefined,
        top_p: topP ?? undefined,
      },
      card,
      signal: watch.signal,
      account,
    };
  }

  private async named(workspaceId: string, names: string[]) {
    try {
      return await this.collections.resolve(workspaceId, names);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'not_found') throw error;
      throw new AppError('not_found', error.message, { errors: [{ path: 'collections', message: error.message }], cause: error });
    }
  }
}

function isSaid({ role }: ChatTurn): boolean {
  return role === 'user' || role === 'assistant';
}

function misfit(message: string): AppError {
  return AppError.field('invalid', 'collections', message);
}
