import type { INestApplication } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { ModelRuntimes } from '@features/models';
import {
  ModelRuntime,
  type ChatChunk,
  type ChatRequest,
  type ChatTurn,
  type EmbedAnswer,
  type ModelActivity,
  type ModelCard,
} from '@kernel/models';
import { chatCard } from './scripted.runtime';

export type Plan = (request: ChatRequest, place: number) => AsyncIterable<Said> | Iterable<Said>;
export type Said = { say: string } | { call: string; given: unknown; id?: string };

/** A model that decides what the test plans for each of its calls; `native`: with tools of its own, else with answers held to a schema. */
export class PlannedRuntime extends ModelRuntime {
  readonly name = 'planned';
  readonly requests: ChatRequest[] = [];
  plan: Plan = () => [{ say: 'Nothing was planned.' }];
  readonly card: ModelCard;

  constructor(id: string, native: boolean, given: Partial<ModelCard> = {}) {
    super();
    this.card = chatCard({
      id,
      runtime: 'planned',
      contextLength: 8_192,
      capabilities: native ? ['chat', 'tools'] : ['chat', 'json_schema'],
      ...given,
    });
  }

  /** Takes the place of the first runtime of an application; the others stay. */
  serve(app: INestApplication): this {
    const runtimes = app.get(ModelRuntimes, { strict: false });
    Object.assign(runtimes, { all: [this, ...runtimes.all] });
    return this;
  }

  async models(): Promise<ModelCard[]> {
    return [this.card];
  }

  async load(): Promise<void> {}

  parallel(): number {
    return 16;
  }

  activity(): ModelActivity {
    return { running: 0, queued: 0, tokensPerSecond: null };
  }

  /** One that is aborted says `cancelled`, as the port demands. */
  async *chat(request: ChatRequest): AsyncIterable<ChatChunk> {
    try {
      yield* this.planned(request);
    } catch (error) {
      if (request.signal.aborted) throw new AppError('cancelled', 'The call was aborted.', { cause: error });
      throw error;
    }
  }

  private async *planned(request: ChatRequest): AsyncGenerator<ChatChunk> {
    const place = this.requests.push(request);
    let outputTokens = 0;
    let calls = 0;
    for await (const said of this.plan(request, place)) {
      request.signal.throwIfAborted();
      outputTokens += 10;
      if ('say' in said) yield { type: 'text', text: said.say };
      else {
        calls += 1;
        const written = typeof said.given === 'string' ? said.given : JSON.stringify(said.given);
        if (this.card.capabilities.includes('tools'))
          yield { type: 'tool_call', call: { id: said.id ?? `c${place}-${calls}`, name: said.call, arguments: written } };
        else yield { type: 'text', text: `{"tool": ${JSON.stringify(said.call)}, "arguments": ${written}}` };
      }
    }
    yield { type: 'end', finishReason: calls > 0 ? 'tool_calls' : 'stop', inputTokens: 100, outputTokens, seconds: 0.01 };
  }

  complete(): AsyncIterable<ChatChunk> {
    throw new Error('Nobody planned a completion.');
  }

  embed(): Promise<EmbedAnswer> {
    throw new Error('Nobody planned an embedding.');
  }

  async countTokens(_: string, texts: string[]): Promise<number[]> {
    return texts.map(words);
  }

  /** Ten for each turn, so that a test can count. */
  async countPromptTokens(_: string, turns: ChatTurn[]): Promise<number> {
    return turns.length * 10;
  }
}

const words = (text: string): number => text.split(/\s+/u).filter((word) => word !== '').length;
