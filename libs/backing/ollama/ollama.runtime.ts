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
  type SamplingRequest,
} from '@kernel/models';
import { AnswerStream } from './answer.stream';
import { Breather } from './breather';
import { chatBody, completionBody, toolsOf } from './chat.messages';
import { embedAll, type EmbedBatch, type EmbedLine } from './embed.batches';
import { FleetTries } from './fleet.tries';
import type { OllamaClient } from './ollama.client';
import { leastBusy, OllamaFleet, type Choice, type Wanted } from './ollama.fleet';
import { removeFrom } from './ollama.library';
import type { KnownModel } from './ollama.model';
import { assertFits, chatSize, textSize, type PromptSize } from './prompt.size';

/** What one server is asked for an answer. */
interface Question {
  size: PromptSize;
  path: 'chat' | 'generate';
  body: Record<string, unknown>;
  /** A call of a tool must be part of the answer. */
  demanded: boolean;
}

/**
 * Models on the Ollama servers of OLLAMA_URL. Calls always stream and always name `num_ctx`, since the server's own default cuts prompts silently; how
 * much it read is checked at the end. Counts are by the model's own vocabulary, never below the true ones (prompts: with room for the template).
 * A call goes to the least busy server that has the model, and to another one when that fails before the first token; never after it. Errors as the
 * port says; while no server answers: `unavailable` at once, and their models are `unknown`.
 */
export class OllamaRuntime extends ModelRuntime {
  readonly name = 'ollama';
  private readonly fleet: OllamaFleet;
  private readonly meters = new Map<string, ActivityMeter>();

  constructor(
    client: OllamaClient,
    known: readonly KnownModel[],
    private readonly limits: Pick<AppConfig['models'], 'coldSeconds' | 'firstTokenSeconds' | 'idleSeconds'>,
    /** Calls that one server works on at once for one model. */
    private readonly eachParallel = 4,
  ) {
    super();
    this.fleet = new OllamaFleet(client, known);
  }

  models(): Promise<ModelCard[]> {
    return this.fleet.cards();
  }

  override variants(slug: string): Promise<ModelCard[]> {
    return this.fleet.variants(slug);
  }

  override reachable(): Promise<boolean> {
    return this.fleet.complete();
  }

  /** After a model came or went. */
  refresh(): void {
    this.fleet.forget();
  }

  /** Takes the model off every server that answers. */
  async remove(slug: string): Promise<void> {
    const choices = await this.fleet.choices({ slug });
    await Promise.all(choices.map(({ server, model }) => removeFrom(server, model.name)));
    this.refresh();
  }

  activity(model: string): ModelActivity {
    return this.meter(model).now;
  }

  parallel(slug: string): number {
    return this.eachParallel * Math.max(1, this.fleet.serving(slug));
  }

  async load(slug: string, signal: AbortSignal): Promise<void> {
    await this.anywhere({ slug }, (choice) => this.loaded(choice, signal));
  }

  chat(given: ChatRequest): AsyncGenerator<ChatChunk, void> {
    return this.answered(given, async ({ shelf, model }) => {
      const { counter, controls } = await shelf.reading(model);
      const request = { ...given, turns: controls.brokenTurns(given.turns) };
      const { toolChoice = 'auto' } = request;
      return {
        size: chatSize(counter, model, request.turns, request),
        path: 'chat',
        body: chatBody(model, request),
        demanded: toolsOf(request).length > 0 && toolChoice !== 'auto' && toolChoice !== 'none',
      };
    });
  }

  /** Continues a text without a template. */
  complete(request: CompletionRequest): AsyncGenerator<ChatChunk, void> {
    return this.answered(request, async ({ shelf, model }) => {
      const { counter } = await shelf.reading(model);
      return { size: textSize(counter, request.prompt), path: 'generate', body: completionBody(model, request), demanded: false };
    });
  }

  async embed(request: EmbedRequest): Promise<EmbedAnswer> {
    const wanted: Wanted = { slug: request.model, kind: 'embedding', weights: request.weights };
    const { shelf, model: first } = leastBusy(await this.fleet.choices(wanted));
    const reading = await shelf.reading(first);
    const call = this.meter(request.model).enter();
    call.start();
    try {
      const answer = await embedAll(this.batches({ ...wanted, weights: first.weights }, request.signal), first, reading, request);
      this.meter(request.model).add(answer.inputTokens, answer.seconds);
      return answer;
    } finally {
      call.end();
    }
  }

  async countTokens(slug: string, texts: string[], signal: AbortSignal): Promise<number[]> {
    const { shelf, model } = leastBusy(await this.fleet.choices({ slug }));
    const { counter } = await shelf.reading(model);
    const breather = new Breather();
    const counts: number[] = [];
    for (const text of texts) counts.push(await breather.sum(text, (part) => counter.atMost(part), signal));
    return counts;
  }

  async countPromptTokens(slug: string, turns: ChatTurn[], signal: AbortSignal): Promise<number> {
    const { shelf, model } = leastBusy(await this.fleet.choices({ slug, kind: 'chat' }));
    const { counter, controls } = await shelf.reading(model);
    signal.throwIfAborted();
    return chatSize(counter, model, controls.brokenTurns(turns)).atMost;
  }

  /** The answer of the first server that begins one. */
  private async *answered(request: SamplingRequest, ask: (choice: Choice) => Promise<Question>): AsyncGenerator<ChatChunk, void> {
    const tries = new FleetTries(this.fleet, { slug: request.model, kind: 'chat' });
    let begun = false;
    try {
      for (let choice = await tries.first(); ; ) {
        try {
          for await (const chunk of this.stream(choice, request, await ask(choice))) {
            begun = true;
            yield chunk;
          }
          tries.worked();
          return;
        } catch (error) {
          if (begun) choice.shelf.forget();
          if (begun) tries.failed(error);
          if (begun || request.signal.aborted) throw error;
          choice = await tries.after(choice, error);
        }
      }
    } finally {
      tries.end();
    }
  }

  private async *stream(choice: Choice, request: SamplingRequest, question: Question): AsyncGenerator<ChatChunk, void> {
    const { server, model } = choice;
    const { size, path, body, demanded } = question;
    assertFits(model, size, request.maxTokens);
    const meter = this.meter(request.model);
    const call = meter.enter();
    const answer = new AnswerStream(model, size, request, demanded);
    const { signal } = request;
    const { firstTokenSeconds: seconds, idleSeconds } = this.limits;
    try {
      await this.warm(choice, signal);
      const lines = server.lines({ path, body, name: model.name, signal, seconds, idleSeconds });
      for await (const chunk of answer.chunks(lines)) {
        call.start();
        yield chunk;
      }
    } finally {
      call.end();
      if (answer.end !== undefined) meter.add(answer.end.outputTokens, answer.end.seconds);
    }
  }

  private batches(wanted: Wanted, signal: AbortSignal): EmbedBatch {
    return (input) =>
      this.anywhere(wanted, async (choice) => {
        const { server, model } = choice;
        const { name, contextLength } = model;
        const body = { model: name, input, truncate: false, options: { num_ctx: contextLength } };
        await this.warm(choice, signal);
        const said = await server.json<EmbedLine>({ path: 'embed', body, name, signal, seconds: this.limits.firstTokenSeconds });
        return { model, said };
      });
  }

  /** Work that may be done again, by the first server that does it. */
  private async anywhere<T>(wanted: Wanted, work: (choice: Choice) => Promise<T>): Promise<T> {
    const tries = new FleetTries(this.fleet, wanted);
    try {
      for (let choice = await tries.first(); ; ) {
        try {
          const done = await work(choice);
          tries.worked();
          return done;
        } catch (error) {
          choice = await tries.after(choice, error);
        }
      }
    } finally {
      tries.end();
    }
  }

  /** Weights are loaded by a call of their own, so that loading and the first token each have their own time. */
  private async warm(choice: Choice, signal: AbortSignal): Promise<void> {
    if (!choice.shelf.isLoaded(choice.model)) await this.loaded(choice, signal);
  }

  private async loaded({ server, shelf, model }: Choice, signal: AbortSignal): Promise<void> {
    const { name, contextLength, card } = model;
    const options = { num_ctx: contextLength };
    const [path, body] =
      card.kind === 'chat'
        ? ['generate', { model: name, stream: false, options }]
        : ['embed', { model: name, input: [], truncate: false, options }];
    await server.json({ path, body, name, signal, seconds: this.limits.coldSeconds, what: `Loading the model ${card.id}` });
    shelf.hasLoaded(model);
  }

  private meter(model: string): ActivityMeter {
    const meter = this.meters.get(model) ?? new ActivityMeter();
    this.meters.set(model, meter);
    return meter;
  }
}
