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
import type { SpaceFingerprints } from './space-fingerprints.service';

/** A runtime whose vectors are let out only when they belong into their model's space, and whose missing models may be on their way. */
export class GuardedRuntime extends ModelRuntime {
  constructor(
    private readonly runtime: ModelRuntime,
    private readonly fingerprints: SpaceFingerprints,
    private readonly pulling: ReadonlySet<string>,
  ) {
    super();
  }

  get name(): string {
    return this.runtime.name;
  }

  async models(): Promise<ModelCard[]> {
    const cards = await this.runtime.models();
    return cards.map((card) => (card.state === 'missing' && this.pulling.has(card.id) ? { ...card, state: 'pulling' } : card));
  }

  override reachable(): Promise<boolean> {
    return this.runtime.reachable();
  }

  activity(model: string): ModelActivity {
    return this.runtime.activity(model);
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

  async embed(request: EmbedRequest): Promise<EmbedAnswer> {
    const card = (await this.runtime.models()).find(({ id }) => id === request.model);
    if (card !== undefined) await this.fingerprints.check(card, this.runtime);
    return this.runtime.embed(request);
  }

  countTokens(model: string, texts: string[], signal: AbortSignal): Promise<number[]> {
    return this.runtime.countTokens(model, texts, signal);
  }

  countPromptTokens(model: string, turns: ChatTurn[], signal: AbortSignal): Promise<number> {
    return this.runtime.countPromptTokens(model, turns, signal);
  }
}
