import type { Token } from 'node-llama-cpp' with { 'resolution-mode': 'import' };
import { Until } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import {
  ActivityMeter,
  assertAnswerSchema,
  type ChatChunk,
  type ChatRequest,
  type ChatTurn,
  type CompletionRequest,
  type SamplingRequest,
} from '@kernel/models';
import { ChatAnswer, type AnswerLimits } from './chat.answer';
import type { ChatModel } from './chat.model';
import type { ModelSlot } from './model.slot';
import type { StepWatch } from './step.watch';
import { TurnQueue, type Release } from './turn.queue';

/** Answers of one chat model: one at a time, first come first served. */
export class ChatEngine {
  readonly meter = new ActivityMeter();
  private readonly answers = new TurnQueue();

  constructor(
    readonly slot: ModelSlot<ChatModel>,
    private readonly turns: TurnQueue,
    private readonly limits: AnswerLimits & { queueSeconds: number },
    private readonly watch: StepWatch,
  ) {}

  chat(request: ChatRequest, signal: AbortSignal): AsyncGenerator<ChatChunk, void> {
    return this.run(request, signal, (model) => model.prompt(request.turns, signal, request.think));
  }

  /** Continues a text without the chat template. */
  complete(request: CompletionRequest, signal: AbortSignal): AsyncGenerator<ChatChunk, void> {
    return this.run(request, signal, (model) => model.plainPrompt(request.prompt, signal));
  }

  private async *run(
    request: SamplingRequest & Pick<ChatRequest, 'format'>,
    signal: AbortSignal,
    promptOf: (model: ChatModel) => Promise<Token[]>,
  ): AsyncGenerator<ChatChunk, void> {
    if (request.format?.type === 'json_schema') assertAnswerSchema(request.format.schema, 'format.schema');
    this.watch.assertFree();
    const call = this.meter.enter();
    const { answer, release } = await this.admitted(request, signal, promptOf).catch((error: unknown) => {
      call.end();
      throw error;
    });
    call.start();
    try {
      yield* answer.run();
      call.end();
    } catch (error) {
      this.watch.left(answer.done, error);
      throw error;
    } finally {
      this.meter.add(answer.outputTokens - 1, answer.generating);
      // The model stops with its step, after whoever was called away: until then it is at work.
      void answer.done.then(() => {
        release();
        call.end();
      });
    }
  }

  /** When it is this answer's turn. */
  private async admitted(
    request: SamplingRequest & Pick<ChatRequest, 'format'>,
    signal: AbortSignal,
    promptOf: (model: ChatModel) => Promise<Token[]>,
  ): Promise<{ answer: ChatAnswer; release: Release }> {
    const model = await this.slot.get(signal);
    const tokens = await promptOf(model);
    this.checkLength(tokens, request.maxTokens);
    const release = await this.answers.take('soon', signal, new Until(this.limits.queueSeconds, `The wait for ${this.slot.entry.slug}`));
    return { answer: new ChatAnswer(model, tokens, request, this.turns, { ...this.limits, signal }), release };
  }

  async countTokens(texts: string[], signal: AbortSignal): Promise<number[]> {
    return (await this.slot.get(signal)).countTokens(texts, signal);
  }

  async countPromptTokens(turns: ChatTurn[], signal: AbortSignal): Promise<number> {
    return (await (await this.slot.get(signal)).prompt(turns, signal)).length;
  }

  /** Waits for the answer in the making, which must have been cancelled, and frees the context. */
  async close(): Promise<void> {
    await this.answers.take('soon');
    await this.slot.close();
  }

  private checkLength(tokens: Token[], maxTokens: number): void {
    const { slug, contextLength } = this.slot.entry;
    if (tokens.length + maxTokens <= contextLength) return;
    throw new AppError(
      'context_length_exceeded',
      `The prompt of ${tokens.length} tokens and an answer of up to ${maxTokens} do not fit into the ${contextLength} tokens of ${slug}.`,
    );
  }
}
