import type { LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp' with {
  'resolution-mode': 'import',
};
import type { ChatRequest, ChatTurn, SamplingRequest } from '@kernel/models';
import type { ChatEntry } from './catalogue';
import { ChatTemplate } from './chat.template';
import type { LlamaCppClient } from './llama-cpp.client';
import { LEAST_STEP, MOST_STEP, ReadingPace } from './reading.pace';
import { Breather, slices } from './text.slices';

const REPEAT_WINDOW = 64;

/**
 * The weights of a chat model with one context. The prompt is written by the chat template inside the model's file; the text of turns never becomes
 * a control token. A prompt's beginning that is already in the context is reused. Whatever the pieces, a prompt gives the same numbers: they end at
 * multiples of the least step, the last piece is the rest, and flash attention, whose sums depend on the length of a piece, is off.
 */
export class ChatModel {
  /** The prompt tokens that lie in the context, a whole multiple of the least step. */
  private known: Token[] = [];
  private readonly pace = new ReadingPace();

  private constructor(
    readonly entry: ChatEntry,
    private readonly model: LlamaModel,
    private readonly template: ChatTemplate,
    private readonly sequence: LlamaContextSequence,
    private readonly client: LlamaCppClient,
  ) {}

  static async open(client: LlamaCppClient, entry: ChatEntry, path: string, signal: AbortSignal): Promise<ChatModel> {
    const library = await client.library();
    const model = await client.loadModel(path, signal);
    try {
      const template = model.fileInfo.metadata.tokenizer.chat_template;
      if (template === undefined) throw new Error('The file holds no chat template.');
      if (model.trainContextSize < entry.contextLength) throw new Error(`The file's context is ${model.trainContextSize} tokens only.`);
      const context = await model.createContext({
        contextSize: entry.contextLength,
        batchSize: MOST_STEP,
        flashAttention: false,
        sequences: 1,
        threads: client.threads,
      });
      return new ChatModel(entry, model, new ChatTemplate(library, template), context.getSequence(), client);
    } catch (error) {
      await model.dispose();
      throw error;
    }
  }

  /** The whole prompt, ending where the answer begins. */
  async prompt(turns: ChatTurn[], signal: AbortSignal, think = false): Promise<Token[]> {
    const tokens: Token[] = [];
    const breather = new Breather();
    for (const part of this.template.prompt(turns, think).values) {
      if (typeof part !== 'string') for (const token of part.tokenize(this.model.tokenizer)) tokens.push(token);
      else await this.tokenize(part, signal, breather, tokens);
    }
    return tokens;
  }

  /** A text as it is, behind the token with which every text begins, if the model has one. */
  async plainPrompt(text: string, signal: AbortSignal): Promise<Token[]> {
    const { bos, shouldPrependBosToken } = this.model.tokens;
    const tokens = shouldPrependBosToken && bos !== null ? [bos] : [];
    return this.tokenize(text, signal, new Breather(), tokens);
  }

  async countTokens(texts: string[], signal: AbortSignal): Promise<number[]> {
    const breather = new Breather();
    const counts: number[] = [];
    for (const text of texts) counts.push((await this.tokenize(text, signal, breather, [])).length);
    return counts;
  }

  readonly detokenize = (tokens: Token[], special: boolean, last: Token[]): string => this.model.detokenize(tokens, special, last);

  /** Keeps what the context shares with `tokens`; answers how many of them are there already. The last token is never among them. */
  async reuse(tokens: Token[]): Promise<number> {
    const limit = Math.min(tokens.length - 1, this.known.length, this.sequence.nextTokenIndex);
    let common = 0;
    while (common < limit && this.known[common] === tokens[common]) common += 1;
    const kept = common - (common % LEAST_STEP);
    await this.sequence.eraseContextTokenRanges([{ start: kept, end: this.sequence.nextTokenIndex }]);
    this.known = tokens.slice(0, kept);
    if (this.sequence.nextTokenIndex === kept) return kept;
    await this.sequence.clearHistory();
    this.known = [];
    return 0;
  }

  /** Reads the next step of the prompt from `start`; answers where the next begins, or undefined when the rest belongs to `generate`. */
  async read(tokens: Token[], start: number): Promise<number | undefined> {
    const whole = tokens.length - 1 - ((tokens.length - 1) % LEAST_STEP);
    const end = Math.min(start + this.pace.step, whole);
    if (end <= start) return undefined;
    const began = performance.now();
    await this.sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(start, end));
    this.pace.took(end - start, performance.now() - began);
    this.known = tokens.slice(0, end);
    return end;
  }

  /** Reads the rest of the prompt and makes one token for each step of the iteration, until the model ends its turn or the form of the answer is complete. */
  async *generate(rest: Token[], request: SamplingRequest & Pick<ChatRequest, 'format'>): AsyncGenerator<Token, void> {
    const made: Token[] = [];
    const grammarEvaluationState = await this.client.constraint(this.model, request.format);
    const tokens = this.sequence.evaluate(rest, {
      temperature: request.temperature,
      topP: request.topP,
      seed: request.seed,
      grammarEvaluationState,
      repeatPenalty: {
        penalty: this.entry.repeatPenalty ?? 1,
        maxPunishTokens: REPEAT_WINDOW,
        punishTokens: () => made,
      },
    });
    for await (const token of tokens) {
      made.push(token);
      yield token;
    }
  }

  /** Forgets everything, after a step that failed. */
  async reset(): Promise<void> {
    this.known = [];
    await this.sequence.clearHistory();
  }

  /** Frees the context; the client frees the weights. */
  async close(): Promise<void> {
    await this.sequence.context.dispose();
  }

  private async tokenize(text: string, signal: AbortSignal, breather: Breather, into: Token[]): Promise<Token[]> {
    for (const slice of slices(text)) {
      for (const token of this.model.tokenize(slice, false)) into.push(token);
      await breather.pause();
      signal.throwIfAborted();
    }
    return into;
  }
}
