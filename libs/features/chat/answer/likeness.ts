import type { Term } from './terms';

/** A text prepared for looking up terms. */
export interface TermSet {
  lexemes: ReadonlySet<string>;
  words: readonly string[];
  numbers: ReadonlySet<string>;
  /** The text itself, for scripts without spaces. */
  text: string;
}

/** Shorter parts of a word are shared by chance. */
const SHORTEST_PART = 4;
const SHORTEST_STEM = 5;
const STEM_SHARE = 0.7;
const COMPOUND = 0.8;
const BROADER = 0.5;
const RELATED = 0.6;

export function termSet(found: Term[], text: string): TermSet {
  return {
    lexemes: new Set(found.filter((term) => !term.stop).map((term) => term.lexeme)),
    words: [...new Set(found.filter((term) => !term.stop && !term.spaceless).map((term) => term.text))],
    numbers: new Set(found.flatMap((term) => term.number ?? [])),
    text,
  };
}

/**
 * How surely the term stands in the text, 0..1: 1 the same word, 0.8 as the end of a compound (`boat` in `lifeboat`: the end says what a
 * thing is), 0.5 when the text has only the broader word, 0.6 when the words share most of their beginning; for scripts without spaces the share of its sign pairs.
 */
export function likeness(term: Term, set: TermSet): number {
  if (term.spaceless) return signLikeness(term.text, set.text);
  if (term.number !== null && set.numbers.has(term.number)) return 1;
  if (set.lexemes.has(term.lexeme)) return 1;
  if (term.number !== null || /\p{N}/u.test(term.text)) return 0;
  let best = 0;
  for (const word of set.words) best = Math.max(best, wordLikeness(term.text, word));
  return best;
}

/** Likeness of two folded words: the one asked for and one that stands in a text. */
export function wordLikeness(asked: string, word: string): number {
  if (asked === word) return 1;
  const shorter = Math.min(asked.length, word.length);
  if (shorter >= SHORTEST_PART && word.endsWith(asked)) return COMPOUND;
  if (shorter >= SHORTEST_PART && asked.endsWith(word)) return BROADER;
  let shared = 0;
  while (shared < shorter && asked[shared] === word[shared]) shared += 1;
  return shared >= SHORTEST_STEM && shared >= STEM_SHARE * shorter ? RELATED : 0;
}

function signLikeness(term: string, text: string): number {
  const signs = [...term];
  if (signs.length === 1) return text.includes(term) ? 1 : 0;
  const pairs = signs.slice(1).map((sign, index) => `${signs[index]}${sign}`);
  return pairs.filter((pair) => text.includes(pair)).length / pairs.length;
}
