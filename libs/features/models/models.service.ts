import { Injectable, Logger } from '@nestjs/common';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type {
  ChatChunk,
  ChatRequest,
  ChatTurn,
  CompletionRequest,
  EmbedAnswer,
  EmbedRequest,
  ModelActivity,
  ModelCard,
  ModelKind,
  ModelRuntime,
  SamplingRequest,
} from '@kernel/models';
import type { Page, PageQuery } from '@kernel/paging';
import { fetchCommandOf } from './fetch-command';
import { ModelRuntimes } from './model-runtimes';
import { UsageRepository, type UsageAccount, type UsageEntry } from './usage.repository';

interface Offer {
  card: ModelCard;
  runtime: ModelRuntime;
}

/** A model with what it does at the moment. */
export type ModelStatus = ModelCard & ModelActivity;

/**
 * Every model call of the platform: finds the runtime that serves a model, and writes one usage row for each call, also for one that was aborted.
 * Errors: `not_found` (no such model), `unavailable` (not on this machine, with the command), and the runtime's own.
 */
@Injectable()
export class Models {
  private readonly logger = new Logger(Models.name);

  constructor(
    private readonly runtimes: ModelRuntimes,
    private readonly usage: UsageRepository,
    private readonly config: AppConfig,
  ) {}

  /** All models by name. */
  async list(): Promise<ModelCard[]> {
    const offers = await this.offers();
    return [...offers.values()].map(({ card }) => card).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** A page of the list, by name; a cursor is compared by value. */
  async page({ limit, after, before, order }: PageQuery): Promise<Page<ModelCard>> {
    if (after !== undefined && before !== undefined) throw AppError.field('invalid', 'before', 'after and before cannot be used together.');
    const cards = await this.list();
    if (order === 'desc') cards.reverse();
    const precedes = (id: string, cursor: string): boolean => (order === 'asc' ? id < cursor : id > cursor);
    const rest = cards.filter(({ id }) => (after === undefined || precedes(after, id)) && (before === undefined || precedes(id, before)));
    return { data: before === undefined ? rest.slice(0, limit) : rest.slice(-limit), hasMore: rest.length > limit };
  }

  async get(id: string): Promise<ModelCard> {
    return (await this.offer(id)).card;
  }

  async status(id: string): Promise<ModelStatus> {
    const { card, runtime } = await this.offer(id);
    return { ...card, ...runtime.activity(id) };
  }

  /** The named model or the default of the settings, which can be used now. */
  async resolve(kind: ModelKind, id?: string): Promise<ModelCard> {
    const wanted = id ?? this.config.models[kind];
    const card = (await this.offers()).get(wanted)?.card;
    if (card === undefined) throw AppError.field('invalid', 'model', `there is no model ${wanted}`);
    if (card.kind !== kind) throw AppError.field('invalid', 'model', `${wanted} is no ${kind} model`);
    if (card.state === 'missing') {
      throw new AppError('unavailable', `The model ${wanted} is not on this machine: run \`${fetchCommandOf(wanted)}\`.`, {
        retryable: false,
      });
    }
    return card;
  }

  async *chat(request: ChatRequest, account: UsageAccount): AsyncGenerator<ChatChunk, void> {
    const { runtime } = await this.offer(request.model);
    yield* this.accounted(request, account, (metered) => runtime.chat({ ...request, ...metered }));
  }

  /** Continues a text without a chat template. */
  async *complete(request: CompletionRequest, account: UsageAccount): AsyncGenerator<ChatChunk, void> {
    const { runtime } = await this.offer(request.model);
    yield* this.accounted(request, account, (metered) => runtime.complete({ ...request, ...metered }));
  }

  /** One usage row, whatever the end. */
  private async *accounted(
    request: SamplingRequest,
    account: UsageAccount,
    open: (metered: Pick<SamplingRequest, 'onTokens'>) => AsyncIterable<ChatChunk>,
  ): AsyncGenerator<ChatChunk, void> {
    const used = { inputTokens: 0, outputTokens: 0, seconds: 0 };
    const started = performance.now();
    let ended = false;
    const onTokens = (inputTokens: number, outputTokens: number): void => {
      Object.assign(used, { inputTokens, outputTokens });
      request.onTokens?.(inputTokens, outputTokens);
    };
    try {
      for await (const chunk of open({ onTokens })) {
        if (chunk.type === 'end') {
          ended = true;
          Object.assign(used, { inputTokens: chunk.inputTokens, outputTokens: chunk.outputTokens, seconds: chunk.seconds });
          await this.record(account, { operation: 'chat', model: request.model, ...used });
        }
        yield chunk;
      }
    } finally {
      if (!ended) await this.recordAborted(account, { operation: 'chat', model: request.model, ...used }, started);
    }
  }

  async embed(request: EmbedRequest, account: UsageAccount): Promise<EmbedAnswer> {
    const { runtime } = await this.offer(request.model);
    const started = performance.now();
    let inputTokens = 0;
    const onTokens = (tokens: number): void => {
      inputTokens = tokens;
      request.onTokens?.(tokens);
    };
    const entry = { operation: 'embed', model: request.model, outputTokens: 0 } as const;
    let answer: EmbedAnswer;
    try {
      answer = await runtime.embed({ ...request, onTokens });
    } catch (error) {
      await this.recordAborted(account, { ...entry, inputTokens, seconds: 0 }, started);
      throw error;
    }
    await this.record(account, { ...entry, inputTokens: answer.inputTokens, seconds: answer.seconds });
    return answer;
  }

  async countTokens(model: string, texts: string[], signal: AbortSignal): Promise<number[]> {
    return (await this.offer(model)).runtime.countTokens(model, texts, signal);
  }

  async countPromptTokens(model: string, turns: ChatTurn[], signal: AbortSignal): Promise<number> {
    return (await this.offer(model)).runtime.countPromptTokens(model, turns, signal);
  }

  private async offer(id: string): Promise<Offer> {
    const offer = (await this.offers()).get(id);
    if (offer === undefined) throw AppError.notFound('The model');
    return offer;
  }

  private async offers(): Promise<Map<string, Offer>> {
    const offers = new Map<string, Offer>();
    for (const runtime of this.runtimes.all) {
      for (const card of await runtime.models()) {
        const earlier = offers.get(card.id)?.card;
        if (earlier === undefined || (earlier.state !== 'ready' && card.state === 'ready')) offers.set(card.id, { card, runtime });
      }
    }
    return offers;
  }

  /** A call that never reached the model has used nothing. */
  private async recordAborted(account: UsageAccount, entry: UsageEntry, started: number): Promise<void> {
    if (entry.inputTokens > 0) await this.record(account, { ...entry, seconds: (performance.now() - started) / 1000 });
  }

  /** An answer is never lost because its account could not be written. */
  private async record(account: UsageAccount, entry: UsageEntry): Promise<void> {
    try {
      await this.usage.add(account, entry);
    } catch (error) {
      const { operation, model, inputTokens, outputTokens } = entry;
      const lost = `${operation} ${model}, job ${account.jobId ?? 'none'}, ${inputTokens} + ${outputTokens} tokens`;
      this.logger.error(`A usage row could not be written (${lost}): ${(error as Error).message}`);
    }
  }
}
