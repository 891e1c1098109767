import { Injectable } from '@nestjs/common';
import { slugOf } from '@backing/ollama';
import { ModelAccounts, type UsageAccount } from '@features/usage';
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
  ToolDefinition,
} from '@kernel/models';
import type { Page, PageQuery } from '@kernel/paging';
import { ModelAdmission, type AdmittedCall, type CallPlace } from './admission/model-admission.service';
import { fetchCommandOf } from './fetch-command';
import { offersOf, type ModelOffer } from './model-offers';
import { ModelRuntimes } from './model-runtimes';
import { thoughtsApart } from './thinking-stream';
import { ToolProtocol } from './tool-protocol';

/** Tokens that a model sets before a text by itself. */
const AROUND_PROMPT = 4;

/** A model with what it does at the moment. */
export type ModelStatus = ModelCard & ModelActivity;

/**
 * Every model call of the platform: finds the runtime that serves a model, and accounts for its use whatever the end.
 * Errors: `not_found` (no such model), `unavailable` (not on this machine, with the command; too many calls wait for it), `budget_exhausted`, and the
 * runtime's own.
 */
@Injectable()
export class Models {
  constructor(
    private readonly runtimes: ModelRuntimes,
    private readonly accounts: ModelAccounts,
    private readonly admission: ModelAdmission,
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
    const activity = runtime.activity(id);
    return { ...card, ...activity, queued: activity.queued + this.admission.waiting(runtime.name, id) };
  }

  /** The named model or the default of the settings, which can be used now. */
  async resolve(kind: ModelKind, id?: string): Promise<ModelCard> {
    const wanted = id ?? this.config.models[kind];
    const offers = await this.offers();
    // People write a model of Ollama's under its own name too.
    const card = (offers.get(wanted) ?? offers.get(slugOf(wanted)))?.card;
    if (card === undefined) throw await this.absent(wanted);
    if (card.kind !== kind) throw AppError.field('invalid', 'model', `${wanted} is no ${kind} model`);
    if (card.state === 'unknown') throw unknownState(card.id);
    if (card.state === 'missing' || card.state === 'pulling') {
      throw new AppError('unavailable', `The model ${wanted} is not on this machine: run \`${fetchCommandOf(wanted)}\`.`, {
        retryable: false,
      });
    }
    return card;
  }

  /** Throws `unavailable` when a call of this account would be refused now: asked before anything is read or counted for it. */
  async assertRoom(model: string, account: UsageAccount, signal: AbortSignal): Promise<void> {
    this.admission.assertRoom({ ...(await this.offer(model)), account, place: 'interactive', signal });
  }

  async *chat(given: ChatRequest, account: UsageAccount): AsyncGenerator<ChatChunk, void> {
    const offer = await this.offer(given.model);
    yield* this.admitted({ ...offer, account, place: 'interactive', signal: given.signal }, () => this.answered(offer, given, account));
  }

  private async *answered({ card, runtime }: ModelOffer, given: ChatRequest, account: UsageAccount): AsyncGenerator<ChatChunk, void> {
    const protocol = ToolProtocol.of(given, card);
    const request = protocol?.request ?? given;
    const promptTokens = async (): Promise<number> => {
      const { turns, tools = [], signal } = request;
      const [described = 0] = tools.length === 0 ? [] : await runtime.countTokens(card.id, [JSON.stringify(tools)], signal);
      return described + (await runtime.countPromptTokens(card.id, turns, signal));
    };
    const made = this.accounts.generation(
      { card, request, promptTokens, open: (metered) => runtime.chat({ ...request, ...metered }) },
      account,
    );
    const apart = thoughtsApart(made, request, card);
    yield* protocol?.read(apart) ?? apart;
  }

  /** Continues a text without a chat template. */
  async *complete(request: CompletionRequest, account: UsageAccount, place: CallPlace = 'interactive'): AsyncGenerator<ChatChunk, void> {
    const offer = await this.offer(request.model);
    yield* this.admitted({ ...offer, account, place, signal: request.signal }, () => this.continued(offer, request, account));
  }

  private continued({ card, runtime }: ModelOffer, request: CompletionRequest, account: UsageAccount): AsyncGenerator<ChatChunk, void> {
    const promptTokens = async (): Promise<number> => {
      const [tokens = 0] = await runtime.countTokens(card.id, [request.prompt], request.signal);
      return tokens + AROUND_PROMPT;
    };
    return this.accounts.generation(
      { card, request, promptTokens, open: (metered) => runtime.complete({ ...request, ...metered }) },
      account,
    );
  }

  /** `place`: whether a person waits for it, alone or as the part of an answer. */
  async embed(request: EmbedRequest, account: UsageAccount, place: CallPlace = 'interactive'): Promise<EmbedAnswer> {
    const { card, runtime } = await this.offer(request.model);
    const leave = await this.admission.enter({ card, runtime, account, place, signal: request.signal });
    try {
      return await this.accounts.embedding({ card, runtime, request }, account);
    } finally {
      leave();
    }
  }

  async countTokens(model: string, texts: string[], signal: AbortSignal): Promise<number[]> {
    return (await this.offer(model)).runtime.countTokens(model, texts, signal);
  }

  /** With tools: those of a model that calls natively are counted by their description. */
  async countPromptTokens(model: string, turns: ChatTurn[], signal: AbortSignal, tools: ToolDefinition[] = []): Promise<number> {
    const { card, runtime } = await this.offer(model);
    const protocol = ToolProtocol.of({ model, turns, tools, maxTokens: 0, temperature: 0, signal }, card);
    if (protocol !== undefined) return runtime.countPromptTokens(model, protocol.request.turns, signal);
    const [described = 0] = tools.length === 0 ? [] : await runtime.countTokens(model, [JSON.stringify(tools)], signal);
    return described + (await runtime.countPromptTokens(model, turns, signal));
  }

  private async *admitted(call: AdmittedCall, open: () => AsyncGenerator<ChatChunk, void>): AsyncGenerator<ChatChunk, void> {
    const leave = await this.admission.enter(call);
    try {
      yield* open();
    } finally {
      leave();
    }
  }

  private async offer(id: string): Promise<ModelOffer> {
    const offer = (await this.offers()).get(id);
    if (offer === undefined) throw AppError.notFound('The model');
    return offer;
  }

  private offers(): Promise<Map<string, ModelOffer>> {
    return offersOf(this.runtimes.all);
  }

  /** A model that nobody lists may be one of a server that does not answer now. */
  private async absent(wanted: string): Promise<AppError> {
    const answers = await Promise.all(this.runtimes.all.map((runtime) => runtime.reachable()));
    if (answers.every(Boolean)) return AppError.field('invalid', 'model', `there is no model ${wanted}`);
    return unknownState(wanted);
  }
}

function unknownState(model: string): AppError {
  return new AppError('unavailable', `The model ${model} cannot be used now: Ollama does not answer (OLLAMA_URL).`, {
    retryAfterSeconds: 5,
  });
}
