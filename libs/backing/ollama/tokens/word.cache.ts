const LIMIT = 20_000;

/** Remembers what was counted for the words met last. */
export class WordCache {
  private readonly known = new Map<string, number>();

  constructor(private readonly count: (word: string) => number) {}

  get(word: string): number {
    const found = this.known.get(word);
    if (found !== undefined) return found;
    const counted = this.count(word);
    if (this.known.size >= LIMIT) this.known.clear();
    this.known.set(word, counted);
    return counted;
  }
}
