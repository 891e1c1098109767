import { randomUUID } from 'node:crypto';
import { AppError } from '@kernel/errors';
import type { ChatChunk, SamplingRequest } from '@kernel/models';
import { answerLine, type AnswerLine } from './answer.line';
import { brokenOff } from './ollama.error';
import type { OllamaModel } from './ollama.model';
import { assertEvaluated, type PromptSize } from './prompt.size';

const NANOSECONDS = 1e9;

export interface AnswerEnd {
  outputTokens: number;
  seconds: number;
}

/**
 * Chunks of one answer from the lines of Ollama's stream. Until the end tokens are counted by lines, each of which holds at least one. Errors:
 * `unavailable` when the stream ends before it says so, or the server read less than the whole prompt; `unprocessable` without a call that was demanded.
 */
export class AnswerStream {
  end?: AnswerEnd;
  private lines = 0;
  private calls = 0;

  constructor(
    private readonly model: OllamaModel,
    private readonly size: PromptSize,
    private readonly request: SamplingRequest,
    private readonly callDemanded: boolean,
  ) {}

  async *chunks(lines: AsyncIterable<Record<string, unknown>>): AsyncGenerator<ChatChunk, void> {
    this.request.onTokens?.(this.size.atMost, 0);
    for await (const given of lines) {
      const { success, data: line, error } = answerLine.safeParse(given);
      if (!success) throw brokenOff(this.model.name, error);
      yield* this.parts(line);
      if (line.done === true) {
        yield this.finished(line);
        return;
      }
      this.lines += 1;
      this.request.onTokens?.(this.size.atMost, this.lines);
    }
    throw brokenOff(this.model.name);
  }

  private *parts({ message, response, thinking }: AnswerLine): Generator<ChatChunk, void> {
    const thought = message?.thinking ?? thinking ?? '';
    const text = message?.content ?? response ?? '';
    if (thought !== '') yield { type: 'reasoning', text: thought };
    if (text !== '') yield { type: 'text', text };
    for (const { id, function: called } of message?.tool_calls ?? []) {
      if (typeof called?.name !== 'string') continue;
      this.calls += 1;
      const given = called.arguments ?? {};
      const text = typeof given === 'string' ? given : JSON.stringify(given);
      yield { type: 'tool_call', call: { id: id || `call_${randomUUID().replaceAll('-', '')}`, name: called.name, arguments: text } };
    }
  }

  private finished(line: AnswerLine): ChatChunk {
    const inputTokens = line.prompt_eval_count ?? undefined;
    assertEvaluated(this.model, this.size, inputTokens);
    const outputTokens = line.eval_count ?? this.lines;
    const seconds = ((line.prompt_eval_duration ?? 0) + (line.eval_duration ?? 0)) / NANOSECONDS;
    this.end = { outputTokens, seconds: (line.eval_duration ?? 0) / NANOSECONDS };
    this.request.onTokens?.(inputTokens ?? 0, outputTokens);
    if (this.callDemanded && this.calls === 0) {
      throw new AppError('unprocessable', `The model ${this.model.card.id} answered without the tool call that was demanded.`);
    }
    const finishReason = this.calls > 0 ? 'tool_calls' : line.done_reason === 'length' ? 'length' : 'stop';
    return { type: 'end', finishReason, inputTokens: inputTokens ?? 0, outputTokens, seconds };
  }
}
