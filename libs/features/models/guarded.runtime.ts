import { beforeAbort } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import {
  ModelRuntime,
  type ChatChunk,
  type ChatRequest,
  type ChatTurn,
  type CompletionRequest,
  type EmbedAnswer,
  type EmbedRequest,
  type ModelActivity,
  type ModelCard,
} from '@kernel/models';
import type { PullingModels } from './pulling-models';
import type { SpaceFingerprints } from './space-fingerprints.service';

/** A runtime whose vectors are let out only when they belong into their model's space, and whose missing models may be on their way. */
export class GuardedRuntime extends ModelRuntime {
  constructor(
    private readonly runtime: ModelRuntime,
    private readonly fingerprints: SpaceFingerprints,
    private readonly pulling: Pick<PullingModels, 'now'>,
  ) {
    super();
  }

  get name(): string {
    return this.runtime.name;
  }

  async models(): Promise<ModelCard[]> {
    const cards = await this.runtime.models();
    if (!cards.some((card) => card.state === 'missing')) return cards;
    const pulling = await this.pulling.now();
    return cards.map((card) => (card.state === 'missing' && pulling.has(card.id) ? { ...card, state: 'pulling' } : card));
  }

  override variants(model: string): Promise<ModelCard[]> {
    return this.runtime.variants(model);
  }

  override reachable(): Promise<boolean> {
    return this.runtime.reachable();
  }

  activity(model: string): ModelActivity {
    return this.runtime.activity(model);
  }

  parallel(model: string): number {
    return this.runtime.parallel(model);
  }

  load(model: string, signal: AbortSignal): Promise<void> {
    return this.runtime.load(model, signal);
  }

  chat(request: ChatRequest): AsyncIterable<ChatChunk> {
    return this.runtime.chat(request);
  }

  complete(request: CompletionRequest): AsyncIterable<ChatChunk> {
    return this.runtime.complete(request);
  }

  /** By weights that belong into the model's space alone. */
  async embed(request: EmbedRequest): Promise<EmbedAnswer> {
    const { signal } = request;
    try {
      const weights = await beforeAbort(this.weightsOf(request), signal);
      return await this.runtime.embed({ ...request, weights });
    } catch (error) {
      throw signal.aborted ? new AppError('cancelled', 'The work was cancelled.', { cause: error }) : error;
    }
  }

  countTokens(model: string, texts: string[], signal: AbortSignal): Promise<number[]> {
    return this.runtime.countTokens(model, texts, signal);
  }

  countPromptTokens(model: string, turns: ChatTurn[], signal: AbortSignal): Promise<number> {
    return this.runtime.countPromptTokens(model, turns, signal);
  }

  private async weightsOf({ model, signal }: EmbedRequest): Promise<string | undefined> {
    const cards = await this.runtime.variants(model);
    if (cards.length === 0) return undefined;
    const known = cards.filter((card) => this.fingerprints.agrees(card, this.runtime));
    return (known.find(isReady) ?? (await this.compared(cards, known, signal))).weights;
  }

  /** The first that belongs there, of those that can be compared now; else one that is known to and is away. Errors: `conflict`. */
  private async compared(cards: ModelCard[], known: ModelCard[], signal: AbortSignal): Promise<ModelCard> {
    const conflicts: unknown[] = [];
    for (const card of known.length === 0 ? cards : cards.filter(isReady)) {
      try {
        await this.fingerprints.check(card, this.runtime, signal);
        return card;
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'conflict')) throw error;
        conflicts.push(error);
      }
    }
    if (known[0] !== undefined) return known[0];
    throw conflicts[0];
  }
}

function isReady({ state }: ModelCard): boolean {
  return state === 'ready';
}
