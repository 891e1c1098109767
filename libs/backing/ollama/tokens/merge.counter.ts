import type { TokenCounter } from './token.counter';
import { WordCache } from './word.cache';

/** Characters of a run without a boundary that are merged together; a longer run is cut, which only adds tokens. */
const LONGEST = 64;

/** How a vocabulary is read. */
export interface MergeRules {
  /** Cuts a text where no token of the model spans the cut; every further cut only adds tokens. */
  words: RegExp;
  /** The symbols with which merging begins. */
  symbols(word: string): string[];
  /** The lower, the earlier two neighbours are merged; undefined: never. */
  rank(left: string, right: string): number | undefined;
  /** Tokens of a symbol that is left alone. */
  tokens(symbol: string): number;
}

/**
 * Counts by pair merging (Sennrich et al., 2016), for byte pair vocabularies and for SentencePiece ones, whose scores say which pair comes first.
 * Words are cut at least as finely as by any model's own pattern, so a count is the model's own or a little more.
 */
export class MergeCounter implements TokenCounter {
  private readonly words = new WordCache((word) => this.count(word));

  constructor(private readonly rules: MergeRules) {}

  atMost(text: string): number {
    let sum = 0;
    for (const [word] of text.matchAll(this.rules.words)) sum += this.words.get(word);
    return sum;
  }

  /** Coarser patterns than ours join at most some blanks and signs to their neighbours. */
  atLeast(text: string): number {
    return Math.floor(this.atMost(text) * 0.6);
  }

  private count(word: string): number {
    const all = this.rules.symbols(word);
    let sum = 0;
    for (let start = 0; start < all.length; start += LONGEST) {
      for (const symbol of this.merged(all.slice(start, start + LONGEST))) sum += this.rules.tokens(symbol);
    }
    return sum;
  }

  private merged(symbols: string[]): string[] {
    for (;;) {
      let best = Infinity;
      let at = -1;
      for (let index = 0; index + 1 < symbols.length; index++) {
        const rank = this.rules.rank(symbols[index] ?? '', symbols[index + 1] ?? '');
        if (rank !== undefined && rank < best) [best, at] = [rank, index];
      }
      if (at < 0) return symbols;
      symbols.splice(at, 2, (symbols[at] ?? '') + (symbols[at + 1] ?? ''));
    }
  }
}
