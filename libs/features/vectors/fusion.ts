/** Constant of reciprocal rank fusion: how little the first ranks differ (Cormack, Clarke, Büttcher 2009). */
export const FUSION_K = 60;

/**
 * Fuses ranked lists of ids by reciprocal rank: the sum of 1 / (k + rank), scaled so that first place by meaning and by words is 1:
 * each id stands in one list by meaning at most, that of its embedding space, however many spaces there are.
 */
export function fuse(lists: string[][]): Map<string, number> {
  const scores = new Map<string, number>();
  const best = 2 / (FUSION_K + 1);
  for (const list of lists) {
    list.forEach((id, index) => scores.set(id, (scores.get(id) ?? 0) + 1 / (FUSION_K + index + 1) / best));
  }
  return scores;
}

/** Best first; equal scores by id in byte order. */
export function byScore<T>(items: T[], score: (item: T) => number, id: (item: T) => string): T[] {
  return [...items].sort((a, b) => score(b) - score(a) || Buffer.compare(Buffer.from(id(a)), Buffer.from(id(b))));
}
