import { PrometheusMetrics } from '@backing/prometheus';
import { Models } from '@features/models';
import { openAdmission } from './admission';
import { Budgets, ModelAccounts, ModelMeter, type BudgetsRepository, type UsageRepository } from '@features/usage';
import {
  ModelRuntime,
  type ChatChunk,
  type ChatRequest,
  type ChatTurn,
  type EmbedAnswer,
  type ModelActivity,
  type ModelCard,
} from '@kernel/models';
import type { AppConfig } from '@kernel/config';

/** A model that says what the test wrote down, one piece after the other. Counts a word as a token; what nobody scripted fails. */
export class ScriptedRuntime extends ModelRuntime {
  readonly name = 'scripted';
  readonly requests: ChatRequest[] = [];

  constructor(
    readonly card: ModelCard,
    private readonly pieces: string[],
    private readonly finishReason: 'stop' | 'length' = 'stop',
  ) {
    super();
  }

  async models(): Promise<ModelCard[]> {
    return [this.card];
  }

  async load(): Promise<void> {}

  parallel(): number {
    return 16;
  }

  activity(): ModelActivity {
    throw new Error('Nobody scripted an activity.');
  }

  async *chat(request: ChatRequest): AsyncIterable<ChatChunk> {
    this.requests.push(request);
    for (const text of this.pieces) yield { type: 'text', text };
    yield { type: 'end', finishReason: this.finishReason, inputTokens: 10, outputTokens: this.pieces.length, seconds: 0.5 };
  }

  complete(): AsyncIterable<ChatChunk> {
    throw new Error('Nobody scripted a completion.');
  }

  embed(): Promise<EmbedAnswer> {
    throw new Error('Nobody scripted an embedding.');
  }

  async countTokens(_: string, texts: string[]): Promise<number[]> {
    return texts.map(words);
  }

  async countPromptTokens(_: string, turns: ChatTurn[]): Promise<number> {
    return turns.reduce((sum, turn) => sum + words(turn.content), 0);
  }
}

const words = (text: string): number => text.split(/\s+/u).filter((word) => word !== '').length;

export function chatCard(given: Partial<ModelCard> = {}): ModelCard {
  return {
    id: 'scripted',
    kind: 'chat',
    runtime: 'scripted',
    state: 'ready',
    loaded: true,
    sizeBytes: 1,
    digest: null,
    license: 'none',
    languages: ['en'],
    contextLength: 2048,
    capabilities: [],
    ...given,
  };
}

/** The real routing over that runtime; usage goes nowhere. */
export function modelsOver(runtime: ModelRuntime): Models {
  const usage = { add: async () => undefined } as unknown as UsageRepository;
  const metrics = new PrometheusMetrics();
  const budgets = new Budgets({ states: async () => new Map() } as unknown as BudgetsRepository, metrics);
  const accounts = new ModelAccounts(usage, budgets, new ModelMeter(metrics));
  return new Models({ all: [runtime] }, accounts, openAdmission(), { models: { chat: 'scripted', embedding: 'scripted' } } as AppConfig);
}
