import { AppConfig } from '@kernel/config';
import {
  ActivityMeter,
  ModelRuntime,
  type ChatChunk,
  type ChatRequest,
  type ChatTurn,
  type CompletionRequest,
  type EmbedAnswer,
  type EmbedRequest,
  type ModelActivity,
  type ModelCard,
  type ModelKind,
  type SamplingRequest,
} from '@kernel/models';
import { AnswerStream } from './answer.stream';
import { Breather } from './breather';
import { chatBody, completionBody, toolsOf } from './chat.messages';
import { embedAll } from './embed.batches';
import { nameOf } from './model.names';
import { ModelShelf } from './model.shelf';
import type { OllamaClient } from './ollama.client';
import { OllamaLibrary } from './ollama.library';
import { notThere, unreachable } from './ollama.error';
import type { KnownModel, OllamaModel } from './ollama.model';
import { assertFits, chatSize, textSize, type PromptSize } from './prompt.size';

/**
 * Models on the Ollama server of OLLAMA_URL. Calls always stream and always name `num_ctx`, since the server's own default cuts prompts silently; how
 * much it read is checked at the end. Counts are by the model's own vocabulary, never below the true ones (prompts: with room for the template).
 * Errors as the port says; while the server does not answer: `unavailable` at once, and its models are `unknown`.
 */
export class OllamaRuntime extends ModelRuntime {
  readonly name = 'ollama';
  private readonly shelf: ModelShelf;
  private readonly meters = new Map<string, ActivityMeter>();

  constructor(
    private readonly client: OllamaClient,
    known: readonly KnownModel[],
    private readonly limits: Pick<AppConfig['models'], 'coldSeconds' | 'firstTokenSeconds' | 'idleSeconds'>,
  ) {
    super();
    this.shelf = new ModelShelf(client, known);
  }

  models(): Promise<ModelCard[]> {
    return this.shelf.cards();
  }

  override reachable(): Promise<boolean> {
    return this.shelf.reachable();
  }

  /** After a model came or went. */
  refresh(): void {
    this.shelf.forget();
  }

  /** Takes the model off the server. */
  async remove(slug: string): Promise<void> {
    const { name } = await this.find(slug);
    await new OllamaLibrary(this.client).remove(name);
    this.refresh();
  }

  activity(model: string): ModelActivity {
    return this.meter(model).now;
  }

  async load(slug: string, signal: AbortSignal): Promise<void> {
    const model = await this.find(slug);
    const { name, contextLength } = model;
    const options = { num_ctx: contextLength };
    const [path, body] =
      model.card.kind === 'chat'
        ? ['generate', { model: name, stream: false, options }]
        : ['embed', { model: name, input: [], truncate: false, options }];
    await this.client.json({ path, body, name, signal, seconds: this.limits.coldSeconds });
  }

  async *chat(given: ChatRequest): AsyncGenerator<ChatChunk, void> {
    const model = await this.find(given.model, 'chat');
    const { counter, controls } = await this.shelf.reading(model);
    const request = { ...given, turns: controls.brokenTurns(given.turns) };
    const size = chatSize(counter, model, request.turns, request);
    const { toolChoice = 'auto' } = request;
    const demanded = toolsOf(request).length > 0 && toolChoice !== 'auto' && toolChoice !== 'none';
    yield* this.stream(model, size, request, { path: 'chat', body: chatBody(model, request), demanded });
  }

  /** Continues a text without a template. */
  async *complete(request: CompletionRequest): AsyncGenerator<ChatChunk, void> {
    const model = await this.find(request.model, 'chat');
    const { counter } = await this.shelf.reading(model);
    const size = textSize(counter, request.prompt);
    yield* this.stream(model, size, request, { path: 'generate', body: completionBody(model, request), demanded: false });
  }

  async embed(request: EmbedRequest): Promise<EmbedAnswer> {
    const model = await this.find(request.model, 'embedding');
    const reading = await this.shelf.reading(model);
    const call = this.meter(request.model).enter();
    call.start();
    try {
      const answer = await embedAll(this.client, model, reading, request, this.firstSeconds(model));
      this.meter(request.model).add(answer.inputTokens, answer.seconds);
      return answer;
    } finally {
      call.end();
    }
  }

  async countTokens(slug: string, texts: string[], signal: AbortSignal): Promise<number[]> {
    const { counter } = await this.shelf.reading(await this.find(slug));
    const breather = new Breather();
    const counts: number[] = [];
    for (const text of texts) counts.push(await breather.sum(text, (part) => counter.atMost(part), signal));
    return counts;
  }

  async countPromptTokens(slug: string, turns: ChatTurn[], signal: AbortSignal): Promise<number> {
    const model = await this.find(slug, 'chat');
    const { counter, controls } = await this.shelf.reading(model);
    signal.throwIfAborted();
    return chatSize(counter, model, controls.brokenTurns(turns)).atMost;
  }

  private async *stream(
    model: OllamaModel,
    size: PromptSize,
    request: SamplingRequest,
    { path, body, demanded }: { path: string; body: Record<string, unknown>; demanded: boolean },
  ): AsyncGenerator<ChatChunk, void> {
    assertFits(model, size, request.maxTokens);
    const meter = this.meter(request.model);
    const call = meter.enter();
    const answer = new AnswerStream(model, size, request, demanded);
    const { signal } = request;
    const { idleSeconds } = this.limits;
    const lines = this.client.lines({ path, body, name: model.name, signal, seconds: this.firstSeconds(model), idleSeconds });
    try {
      for await (const chunk of answer.chunks(lines)) {
        call.start();
        yield chunk;
      }
    } catch (error) {
      // The server may be gone: what it has is asked again.
      this.shelf.forget();
      throw error;
    } finally {
      call.end();
      if (answer.end !== undefined) meter.add(answer.end.outputTokens, answer.end.seconds);
    }
  }

  /** Errors: `unavailable`, at once when the server does not answer, with the command when the model is not there. */
  private async find(slug: string, kind?: ModelKind): Promise<OllamaModel> {
    const model = await this.shelf.find(slug);
    if (!(await this.shelf.reachable())) throw unreachable();
    if (model === undefined || (kind !== undefined && model.card.kind !== kind)) throw notThere(nameOf(slug));
    return model;
  }

  /** Loading the weights counts as waiting for the first token. */
  private firstSeconds(model: OllamaModel): number {
    const { coldSeconds, firstTokenSeconds } = this.limits;
    return this.shelf.isLoaded(model) ? firstTokenSeconds : coldSeconds + firstTokenSeconds;
  }

  private meter(model: string): ActivityMeter {
    const meter = this.meters.get(model) ?? new ActivityMeter();
    this.meters.set(model, meter);
    return meter;
  }
}
