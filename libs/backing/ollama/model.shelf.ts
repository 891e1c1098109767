import type { ModelCard } from '@kernel/models';
import { ControlTokens } from './control.tokens';
import { slugOf } from './model.names';
import { OllamaModel, type KnownModel, type ShownModel, type TaggedModel } from './ollama.model';
import type { OllamaServer } from './ollama.server';
import { ByteCounter } from './tokens/byte.counter';
import type { TokenCounter } from './tokens/token.counter';
import { counterOf, isUncased } from './tokens/vocabulary';

/** Milliseconds for which a look at the server counts as the truth. */
const FRESH = 2_000;
/** Seconds of a look; a list of models never waits longer. */
const LOOK = 1.5;
const VOCABULARY = 30;
/** Descriptions are asked for side by side, so many at a time. */
const AT_ONCE = 8;

export interface Reading {
  counter: TokenCounter;
  /** Its texts are lower-cased and lose their accents, which Ollama leaves undone. */
  uncased: boolean;
  controls: ControlTokens;
}

/**
 * The models on one server, asked for at most every 2 s; a model's description is kept until its digest changes. While the server does not answer, the
 * models seen last are listed as `unknown`; a server that did not answer a look is not asked again until a probe has found it. Never rejects.
 */
export class ModelShelf {
  /** Whether the server answered the last look. */
  answers = false;
  private models = new Map<string, OllamaModel>();
  private loaded = new Set<string>();
  private readonly described = new Map<string, OllamaModel>();
  private looking?: Promise<void>;
  private lookedAt = -Infinity;
  /** Counts how often everything was forgotten: what a look from before found is not the truth any more. */
  private generation = 0;

  constructor(
    private readonly server: OllamaServer,
    private readonly known: readonly KnownModel[],
    private readonly readings: Map<string, Promise<Reading>>,
  ) {}

  /** Resolves when what the others answer is not older than 2 s. */
  look(): Promise<void> {
    if (this.server.away) {
      this.answers = false;
      this.forget();
      return Promise.resolve();
    }
    if (performance.now() - this.lookedAt < FRESH) return Promise.resolve();
    this.looking ??= this.lookNow(this.generation);
    return this.looking;
  }

  cards(): { card: ModelCard; weights: string }[] {
    const state = this.answers ? 'ready' : 'unknown';
    return [...this.models.values()].map((model) => ({
      card: { ...model.card, state, loaded: this.answers && this.isLoaded(model) },
      weights: model.weights,
    }));
  }

  get(slug: string): OllamaModel | undefined {
    return this.models.get(slug);
  }

  isLoaded(model: OllamaModel): boolean {
    return this.loaded.has(model.name);
  }

  /** It has just been loaded; the next look tells again. */
  hasLoaded(model: OllamaModel): void {
    this.loaded.add(model.name);
  }

  /** The next question asks the server again. */
  forget(): void {
    this.generation += 1;
    this.looking = undefined;
    this.lookedAt = -Infinity;
  }

  /** How the model reads text, by the vocabulary that the server shows; once for each model. */
  reading(model: OllamaModel): Promise<Reading> {
    const known = this.readings.get(model.tag.digest);
    if (known !== undefined) return known;
    const made = this.read(model).catch(() => {
      this.readings.delete(model.tag.digest);
      return { counter: new ByteCounter(), uncased: false, controls: new ControlTokens({}) };
    });
    this.readings.set(model.tag.digest, made);
    return made;
  }

  private async read({ name }: OllamaModel): Promise<Reading> {
    const { model_info: info = {} } = await this.show(name, VOCABULARY, true);
    return { counter: counterOf(info), uncased: isUncased(info), controls: new ControlTokens(info) };
  }

  private async lookNow(generation: number): Promise<void> {
    await this.ask(generation);
    if (generation !== this.generation) return this.look();
    this.looking = undefined;
    this.lookedAt = performance.now();
  }

  private async ask(generation: number): Promise<void> {
    try {
      const [{ models: tags = [] }, { models: running = [] }] = await Promise.all([this.listed('tags'), this.listed('ps')]);
      await this.describe(tags);
      if (generation !== this.generation) return;
      this.models = new Map();
      for (const tag of tags) {
        const model = this.described.get(keyOf(tag));
        // The first name of a slug that the server lists serves it.
        if (model !== undefined && !this.models.has(model.card.id)) this.models.set(model.card.id, model);
      }
      this.loaded = new Set(running.map(({ name }) => name));
      this.answers = true;
    } catch (error) {
      this.answers = false;
      this.server.lost(error);
    }
  }

  private async describe(tags: TaggedModel[]): Promise<void> {
    const unknown = tags.filter((tag) => !this.described.has(keyOf(tag)));
    const worker = async (): Promise<void> => {
      for (let tag = unknown.pop(); tag !== undefined; tag = unknown.pop()) {
        const slug = slugOf(tag.name);
        const shown = await this.show(tag.name, LOOK, false).catch(() => undefined);
        // One that vanished meanwhile, or cannot be described, is not offered.
        if (shown === undefined) continue;
        this.described.set(
          keyOf(tag),
          new OllamaModel(
            tag,
            shown,
            this.known.find((entry) => entry.slug === slug),
          ),
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  private listed(path: 'tags' | 'ps'): Promise<{ models?: TaggedModel[] }> {
    return this.server.json({ path, method: 'GET', name: '', signal: new AbortController().signal, seconds: LOOK });
  }

  private show(name: string, seconds: number, verbose: boolean): Promise<ShownModel> {
    return this.server.json({ path: 'show', body: { model: name, verbose }, name, signal: new AbortController().signal, seconds });
  }
}

function keyOf(tag: TaggedModel): string {
  return `${tag.name} ${tag.digest}`;
}
