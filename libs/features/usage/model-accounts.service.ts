import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { ChatChunk, EmbedAnswer, EmbedRequest, ModelCard, ModelRuntime, SamplingRequest } from '@kernel/models';
import type { Reservation } from './budgets.repository';
import { Budgets } from './budgets.service';
import { ModelMeter } from './model-meter.service';
import { UsageRepository, type UsageAccount, type UsageEntry } from './usage.repository';

/** A stream of a model that has not been opened yet. */
export interface GenerationCall {
  card: ModelCard;
  request: Pick<SamplingRequest, 'maxTokens' | 'onTokens'>;
  /** Asked only for keys with a budget. */
  promptTokens(): Promise<number>;
  open(metered: Pick<SamplingRequest, 'onTokens'>): AsyncIterable<ChatChunk>;
}

export interface EmbedCall {
  card: ModelCard;
  runtime: Pick<ModelRuntime, 'embed' | 'countTokens'>;
  request: EmbedRequest;
}

/** Tokens that a model sets around each text by itself. */
const AROUND_TEXT = 4;

/**
 * The account of every model call: its budget is reserved before and settled after, it leaves one usage row whatever its end (none when it never
 * reached the model), and it is measured. Errors: `budget_exhausted`, and those of the call.
 */
@Injectable()
export class ModelAccounts {
  private readonly logger = new Logger(ModelAccounts.name);

  constructor(
    private readonly usage: UsageRepository,
    private readonly budgets: Budgets,
    private readonly meter: ModelMeter,
  ) {}

  async *generation({ card, request, promptTokens, open }: GenerationCall, account: UsageAccount): AsyncGenerator<ChatChunk, void> {
    const reservation = await this.budgets.reserve(account.apiKeyId, async () => (await promptTokens()) + request.maxTokens);
    const entry: UsageEntry = { operation: 'chat', model: card.id, inputTokens: 0, outputTokens: 0, seconds: 0 };
    const started = performance.now();
    const measured = this.meter.begin(entry, card.loaded);
    // An iteration that its reader ends early has been cancelled.
    let failure: unknown = new AppError('cancelled', 'The reader left.');
    let ended = false;
    const onTokens = (inputTokens: number, outputTokens: number): void => {
      Object.assign(entry, { inputTokens, outputTokens });
      request.onTokens?.(inputTokens, outputTokens);
    };
    try {
      for await (const chunk of open({ onTokens })) {
        if (chunk.type === 'end') {
          ended = true;
          Object.assign(entry, { inputTokens: chunk.inputTokens, outputTokens: chunk.outputTokens, seconds: chunk.seconds });
          measured.end(entry);
          await this.close(account, entry, reservation);
        } else measured.first();
        yield chunk;
      }
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      if (!ended) {
        measured.end(entry, failure);
        await this.close(account, { ...entry, seconds: (performance.now() - started) / 1_000 }, reservation);
      }
    }
  }

  async embedding({ card, runtime, request }: EmbedCall, account: UsageAccount): Promise<EmbedAnswer> {
    const reservation = await this.budgets.reserve(account.apiKeyId, () => mostToEmbed(card, runtime, request));
    const entry: UsageEntry = { operation: 'embed', model: card.id, inputTokens: 0, outputTokens: 0, seconds: 0 };
    const started = performance.now();
    const measured = this.meter.begin(entry, card.loaded);
    const onTokens = (tokens: number): void => {
      entry.inputTokens = tokens;
      request.onTokens?.(tokens);
    };
    try {
      const answer = await runtime.embed({ ...request, onTokens });
      Object.assign(entry, { inputTokens: answer.inputTokens, seconds: answer.seconds });
      measured.end(entry);
      return answer;
    } catch (error) {
      entry.seconds = (performance.now() - started) / 1_000;
      measured.end(entry, error);
      throw error;
    } finally {
      await this.close(account, entry, reservation);
    }
  }

  /** An answer is never lost because its account could not be written. */
  private async close(account: UsageAccount, entry: UsageEntry, reservation: Reservation | undefined): Promise<void> {
    const { operation, model, inputTokens, outputTokens } = entry;
    await this.budgets.settle(reservation, inputTokens + outputTokens);
    if (inputTokens === 0) return;
    try {
      await this.usage.add(account, entry);
    } catch (error) {
      const lost = `${operation} ${model}, job ${account.jobId ?? 'none'}, ${inputTokens} + ${outputTokens} tokens`;
      this.logger.error(`A usage row could not be written (${lost}): ${(error as Error).message}`);
    }
  }
}

async function mostToEmbed(card: ModelCard, runtime: Pick<ModelRuntime, 'countTokens'>, request: EmbedRequest): Promise<number> {
  const traits = card.embedding;
  const prefix = (request.input === 'query' ? traits?.queryPrefix : traits?.documentPrefix) ?? '';
  const counts = await runtime.countTokens(
    card.id,
    request.texts.map((text) => prefix + text),
    request.signal,
  );
  return counts.reduce((sum, count) => sum + count + AROUND_TEXT, 0);
}
