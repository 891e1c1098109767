import type { Token } from 'node-llama-cpp' with { 'resolution-mode': 'import' };
import { Until, within } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import type { ChatChunk, ChatRequest, SamplingRequest } from '@kernel/models';
import type { ChatModel } from './chat.model';
import { StopFilter } from './stop.filter';
import { TokenText } from './token.text';
import type { TurnQueue } from './turn.queue';

export interface AnswerLimits {
  /** From the beginning of the prompt's evaluation to the first token. */
  firstTokenSeconds: number;
  /** Between two tokens. */
  idleSeconds: number;
}

/** One answer being made: reads the prompt in steps, then makes tokens until the end, a stop string or `maxTokens`. Every step is a turn on the processor. */
export class ChatAnswer {
  outputTokens = 0;
  /** Seconds of work for the tokens after the first. */
  generating = 0;
  private seconds = 0;
  private readTokens = 0;
  private settled: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly model: ChatModel,
    private readonly tokens: Token[],
    private readonly request: SamplingRequest & Pick<ChatRequest, 'format'>,
    private readonly turns: TurnQueue,
    private readonly limits: AnswerLimits & { signal: AbortSignal },
  ) {}

  async *run(): AsyncGenerator<ChatChunk, void> {
    const reservation = this.turns.reserve();
    const until = new Until(this.limits.firstTokenSeconds, 'The first token');
    try {
      const start = await this.read(until);
      yield* this.generate(start, until);
    } catch (error) {
      if (!(error instanceof AppError)) this.afterwards(() => this.model.reset());
      throw error;
    } finally {
      this.afterwards(async () => reservation());
    }
  }

  /** Resolves when the model has really stopped, which may be a step after the iteration ended. */
  get done(): Promise<unknown> {
    return this.settled;
  }

  /** Everything but the last step of the prompt; answers where that begins. */
  private async read(until: Until): Promise<number> {
    let start = await this.step(() => this.model.reuse(this.tokens), until);
    for (;;) {
      this.count(start);
      const end = await this.step(() => this.model.read(this.tokens, start), until);
      if (end === undefined) return start;
      start = end;
    }
  }

  private async *generate(start: number, until: Until): AsyncGenerator<ChatChunk, void> {
    const decoder = new TokenText(this.model.detokenize);
    const filter = new StopFilter(this.request.stop ?? []);
    const made = this.model.generate(this.tokens.slice(start), this.request);
    let ended = false;
    try {
      while (!ended && !filter.stopped && this.outputTokens < this.request.maxTokens) {
        const next = await this.next(made, until);
        ended = next.done === true;
        const text = filter.push(next.done ? decoder.rest() : decoder.push(next.value));
        if (text !== '') yield { type: 'text', text };
      }
    } finally {
      this.afterwards(() => made.return());
    }
    const rest = ended ? filter.rest() : filter.push(decoder.rest()) + filter.rest();
    if (rest !== '') yield { type: 'text', text: rest };
    yield this.end(ended || filter.stopped ? 'stop' : 'length');
  }

  private async next(made: AsyncGenerator<Token, void>, until: Until): Promise<IteratorResult<Token, void>> {
    const first = this.outputTokens === 0;
    const before = this.seconds;
    const next = await this.step(() => made.next(), first ? until : new Until(this.limits.idleSeconds, 'The next token'));
    if (!first) this.generating += this.seconds - before;
    if (next.done !== true) this.outputTokens += 1;
    this.count(this.tokens.length);
    return next;
  }

  private async step<T>(work: () => Promise<T>, until: Until): Promise<T> {
    const { signal } = this.limits;
    const leave = await this.turns.take('soon', signal, until);
    const started = performance.now();
    const running = work();
    this.settled = running.then(leave, leave);
    const result = await within(running, { signal, until });
    this.seconds += (performance.now() - started) / 1000;
    return result;
  }

  /** After the step that may still run. */
  private afterwards(work: () => Promise<unknown>): void {
    this.settled = this.settled.then(work).catch(() => undefined);
  }

  private count(inputTokens: number): void {
    this.readTokens = inputTokens;
    this.request.onTokens?.(this.readTokens, this.outputTokens);
  }

  private end(finishReason: 'stop' | 'length'): ChatChunk {
    return { type: 'end', finishReason, inputTokens: this.tokens.length, outputTokens: this.outputTokens, seconds: this.seconds };
  }
}
