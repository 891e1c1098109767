import type { ModelCard, ModelKind } from '@kernel/models';
import { ModelShelf, type Reading } from './model.shelf';
import { nameOf } from './model.names';
import type { OllamaClient } from './ollama.client';
import { notThere, unreachable } from './ollama.error';
import type { KnownModel, OllamaModel } from './ollama.model';
import type { OllamaServer } from './ollama.server';

/** A model that is not in memory costs as much as so many calls that wait before it. */
const COLD = 2;

/** A model on one of the servers. */
export interface Choice {
  server: OllamaServer;
  shelf: ModelShelf;
  model: OllamaModel;
}

export interface Wanted {
  slug: string;
  kind?: ModelKind;
  /** These weights and no others of the same name. */
  weights?: string;
}

/**
 * What all servers have together. A model is ready when one of those that answer has it. Each slug stands for the weights of the first server in the
 * list that answers and has it; other weights under the same name are told apart (`variants`) and never mixed with them.
 */
export class OllamaFleet {
  private readonly shelves = new Map<OllamaServer, ModelShelf>();
  /** How models read text, by the digest of the model: servers share it. */
  private readonly readings = new Map<string, Promise<Reading>>();
  private seen: ModelCard[] = [];

  constructor(
    private readonly client: OllamaClient,
    private readonly known: readonly KnownModel[],
  ) {}

  /** Each slug once; `unknown` what only servers have that do not answer, and all of it when there is no server left. */
  async cards(): Promise<ModelCard[]> {
    const all = await this.all();
    const answered = [...this.shelves.values()].some(({ answers }) => answers);
    if (all.length === 0 && !answered) return this.seen.map((card) => ({ ...card, state: 'unknown', loaded: false }));
    const cards = new Map<string, ModelCard>();
    for (const { card, weights } of all) {
      const first = cards.get(card.id);
      if (first === undefined) cards.set(card.id, { ...card, weights });
      else if (first.weights === weights && card.loaded) cards.set(card.id, { ...first, loaded: true });
    }
    this.seen = [...cards.values()];
    return this.seen;
  }

  /** A card for each set of weights that servers offer under this slug now. */
  async variants(slug: string): Promise<ModelCard[]> {
    const cards = (await this.all()).filter(({ card }) => card.id === slug).map(({ card, weights }) => ({ ...card, weights }));
    return cards.filter((card, at) => cards.findIndex(({ weights }) => weights === card.weights) === at);
  }

  /** Whether there is a server, and every one of them answers. */
  async complete(): Promise<boolean> {
    const shelves = await this.look();
    return shelves.length > 0 && shelves.every(({ shelf }) => shelf.answers);
  }

  /** All servers that answer and have it. Errors: `unavailable`, at once when no server answers, with the command when the model is on none. */
  async choices({ slug, kind, weights }: Wanted, without: ReadonlySet<OllamaServer> = new Set()): Promise<Choice[]> {
    const looked = await this.look(without);
    const having = looked.flatMap(({ server, shelf }): Choice[] => {
      const model = shelf.answers ? shelf.get(slug) : undefined;
      return model === undefined || (kind !== undefined && model.card.kind !== kind) ? [] : [{ server, shelf, model }];
    });
    const wanted = weights ?? having[0]?.model.weights;
    const choices = having.filter(({ model }) => model.weights === wanted);
    if (choices.length === 0 && looked.length > 0 && looked.every(({ shelf }) => shelf.answers)) throw notThere(nameOf(slug));
    if (choices.length === 0) throw unreachable();
    return choices;
  }

  /** How many servers answered their last look and had it. */
  serving(slug: string): number {
    return [...this.shelves].filter(([server, shelf]) => !server.away && shelf.answers && shelf.get(slug) !== undefined).length;
  }

  /** The next question asks every server again. */
  forget(): void {
    for (const shelf of this.shelves.values()) shelf.forget();
  }

  /** Every server's cards, those that answer first. */
  private async all(): Promise<{ card: ModelCard; weights: string }[]> {
    const looked = await this.look();
    return [...looked.filter(({ shelf }) => shelf.answers), ...looked.filter(({ shelf }) => !shelf.answers)].flatMap(({ shelf }) =>
      shelf.cards(),
    );
  }

  private async look(without: ReadonlySet<OllamaServer> = new Set()): Promise<{ server: OllamaServer; shelf: ModelShelf }[]> {
    const servers = await this.client.servers();
    for (const server of this.shelves.keys()) if (!servers.includes(server)) this.shelves.delete(server);
    const shelves = servers.filter((server) => !without.has(server)).map((server) => ({ server, shelf: this.shelfOf(server) }));
    await Promise.all(shelves.map(({ shelf }) => shelf.look()));
    return shelves;
  }

  private shelfOf(server: OllamaServer): ModelShelf {
    const shelf = this.shelves.get(server) ?? new ModelShelf(server, this.known, this.readings);
    this.shelves.set(server, shelf);
    return shelf;
  }
}

/** Of one or more: the one with the model in memory and the fewest calls; among equals chance decides. */
export function leastBusy(choices: readonly Choice[]): Choice {
  const costs = choices.map((choice) => ({ choice, cost: costOf(choice), lot: Math.random() }));
  const [best] = costs.sort((a, b) => a.cost - b.cost || a.lot - b.lot);
  if (best === undefined) throw unreachable();
  return best.choice;
}

function costOf({ server, shelf, model }: Choice): number {
  return server.calls + (shelf.isLoaded(model) ? 0 : COLD);
}
