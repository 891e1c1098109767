import type { Token } from 'node-llama-cpp' with { 'resolution-mode': 'import' };
import { Until, within } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import { ActivityMeter, type EmbedAnswer, type EmbedRequest } from '@kernel/models';
import type { EmbeddingModel } from './embedding.model';
import type { ModelSlot } from './model.slot';
import type { StepWatch } from './step.watch';
import type { TurnQueue } from './turn.queue';

/** A batch is one turn on the processor: short enough that a question waits no more than a moment. */
const BATCH_TEXTS = 4;
const BATCH_TOKENS = 512;

/** Embeddings of one model: batches of different calls take turns; a question's embedding goes before documents'. */
export class EmbeddingEngine {
  readonly meter = new ActivityMeter();

  constructor(
    readonly slot: ModelSlot<EmbeddingModel>,
    private readonly turns: TurnQueue,
    private readonly batchSeconds: number,
    private readonly watch: StepWatch,
  ) {}

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedAnswer> {
    this.watch.assertFree();
    const call = this.meter.enter();
    let running: Promise<void> = Promise.resolve();
    try {
      const model = await this.slot.get(signal);
      const inputs = await this.inputs(model, request, signal);
      const answer: EmbedAnswer = { vectors: [], inputTokens: 0, seconds: 0 };
      const turn = request.input === 'query' && inputs.length <= BATCH_TEXTS ? 'soon' : 'later';
      for (const batch of batches(inputs)) {
        const leave = await this.turns.take(turn, signal, this.until(`The turn of ${request.model}`));
        call.start();
        running = this.run(model, batch, answer, { ...request, signal }).finally(leave);
        await within(running, { signal, until: this.until(`Embedding with ${request.model}`) }).catch((error: unknown) => {
          this.watch.left(running, error);
          throw error;
        });
      }
      call.end();
      return answer;
    } finally {
      // The model stops with its text, after whoever was called away: until then it is at work.
      void running.catch(() => undefined).then(() => call.end());
    }
  }

  async countTokens(texts: string[], signal: AbortSignal): Promise<number[]> {
    const counts: number[] = [];
    for await (const tokens of (await this.slot.get(signal)).tokens(texts, signal)) counts.push(tokens.length);
    return counts;
  }

  /** Waits for the batch in the making and frees the context. */
  async close(): Promise<void> {
    await this.slot.close();
  }

  private until(what: string): Until {
    return new Until(this.batchSeconds, what);
  }

  private async inputs(model: EmbeddingModel, request: EmbedRequest, signal: AbortSignal): Promise<Token[][]> {
    const { maxInputTokens, queryPrefix, documentPrefix } = model.entry.embedding;
    const prefix = request.input === 'query' ? queryPrefix : documentPrefix;
    const texts = request.texts.map((text) => prefix + text);
    const inputs: Token[][] = [];
    for await (const tokens of model.tokens(texts, signal)) {
      if (tokens.length > maxInputTokens) throw tooLong(inputs.length, tokens.length, maxInputTokens);
      inputs.push(tokens);
    }
    return inputs;
  }

  private async run(model: EmbeddingModel, batch: Token[][], answer: EmbedAnswer, request: EmbedRequest): Promise<void> {
    const started = performance.now();
    let read = 0;
    for (const tokens of batch) {
      // Nobody waits for the rest of a batch whose call was aborted.
      if (request.signal.aborted) break;
      answer.vectors.push(await model.embed(tokens));
      read += model.inputTokens(tokens.length);
    }
    const seconds = (performance.now() - started) / 1000;
    answer.inputTokens += read;
    request.onTokens?.(answer.inputTokens);
    answer.seconds += seconds;
    this.meter.add(read, seconds);
  }
}

function* batches(inputs: Token[][]): Generator<Token[][]> {
  let batch: Token[][] = [];
  let size = 0;
  for (const tokens of inputs) {
    if (batch.length === BATCH_TEXTS || (batch.length > 0 && size + tokens.length > BATCH_TOKENS)) {
      yield batch;
      batch = [];
      size = 0;
    }
    batch.push(tokens);
    size += tokens.length;
  }
  if (batch.length > 0) yield batch;
}

function tooLong(index: number, tokens: number, limit: number): AppError {
  const message = `${tokens} tokens, the model reads at most ${limit}`;
  return new AppError('context_length_exceeded', `texts[${index}]: ${message}.`, { errors: [{ path: `texts[${index}]`, message }] });
}
