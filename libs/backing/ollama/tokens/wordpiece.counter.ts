import { normaliseWordPiece } from '@kernel/models';
import type { TokenCounter } from './token.counter';
import { WordCache } from './word.cache';

/** Blanks part words; punctuation, ASCII symbols and Chinese characters are words of their own. */
const WORDS = /[\p{P}$+<=>^`|~]|[\p{Script=Han}]|[^\s\p{P}$+<=>^`|~\p{Script=Han}]+/gu;
/** Marks the beginning of a word in a GGUF file's vocabulary. */
const BEGIN = '▁';

/**
 * Exact counts of a WordPiece vocabulary as GGUF files hold it: the longest piece that fits, again and again; a word with a part that no piece fits is
 * one unknown token. Source: Devlin et al., BERT (2018), in the form of llama.cpp's `llm_tokenizer_wpm`.
 */
export class WordPieceCounter implements TokenCounter {
  private readonly pieces: ReadonlySet<string>;
  private readonly longest: number;
  private readonly words = new WordCache((word) => this.count(word));

  constructor(tokens: readonly string[]) {
    this.pieces = new Set(tokens);
    this.longest = tokens.reduce((most, token) => Math.max(most, token.length), 1);
  }

  atMost(text: string): number {
    let sum = 0;
    for (const [word] of normaliseWordPiece(text).matchAll(WORDS)) sum += this.words.get(word);
    return sum;
  }

  atLeast(text: string): number {
    return this.atMost(text);
  }

  private count(word: string): number {
    const marked = BEGIN + word;
    let tokens = 0;
    for (let start = 0; start < marked.length; tokens++) {
      let end = Math.min(marked.length, start + this.longest);
      while (end > start && !this.pieces.has(marked.slice(start, end))) end -= 1;
      if (end === start) return 1;
      start = end;
    }
    return tokens;
  }
}
