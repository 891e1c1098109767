import type { ModelCard, ModelRuntime, ModelState } from '@kernel/models';

/** A model and the runtime that serves it. */
export interface ModelOffer {
  card: ModelCard;
  runtime: ModelRuntime;
}

/** Which of two cards of one slug says more about it: the lower. */
const RANK: Record<ModelState, number> = { ready: 0, pulling: 1, unknown: 2, failed: 3, missing: 4 };

/** Every model once, by its slug: served by the first runtime that has it ready, so what the built-in one began it goes on with. */
export async function offersOf(runtimes: readonly ModelRuntime[]): Promise<Map<string, ModelOffer>> {
  const offers = new Map<string, ModelOffer>();
  const cards = await Promise.all(runtimes.map((runtime) => runtime.models()));
  for (const [index, runtime] of runtimes.entries()) {
    for (const card of cards[index] ?? []) {
      const earlier = offers.get(card.id)?.card;
      if (earlier === undefined || RANK[card.state] < RANK[earlier.state]) offers.set(card.id, { card, runtime });
    }
  }
  return offers;
}
