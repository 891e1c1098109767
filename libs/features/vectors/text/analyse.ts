import { fold } from './fold';
import { detectLanguage } from './language';
import { stem } from './stem';
import { stopwords } from './stopwords';

/** One searchable unit of a text: a stemmed word, a number, or two neighbouring signs of a script without spaces. */
export interface Lexeme {
  text: string;
  /** Number of the word in the text from 1; words without meaning keep theirs but yield no lexeme. */
  position: number;
}

export const FALLBACK_LANGUAGE = 'en';
const LONGEST = 100;

const NUMBER = /\p{N}+(?:[.,]\p{N}+)*/u.source;
const SPACELESS = ['Han', 'Hiragana', 'Katakana', 'Hangul', 'Thai', 'Lao', 'Khmer', 'Myanmar'];
const RUNS = SPACELESS.map(
  (script) =>
    `[\\p{Script=${script}}${script === 'Katakana' ? 'ー' : ''}][\\p{Script=${script}}\\p{M}${script === 'Katakana' ? 'ー' : ''}]*`,
);
const OTHER = `(?:(?!${SPACELESS.map((s) => `\\p{Script=${s}}`).join('|')})[\\p{L}\\p{M}\\p{N}])+`;
const TOKEN = new RegExp(`(?<number>(?<![\\p{L}])${NUMBER}(?![\\p{L}\\p{N}]))|(?<run>${RUNS.join('|')})|(?<word>${OTHER})`, 'gu');
/** `the ship's` and `l'heure`: what an apostrophe cuts off is grammar. */
const APOSTROPHE = /(?<=\p{L}{2})['’](?:s|S)(?!\p{L})/gu;

/**
 * The lexemes of a text for full text: NFKC, lower case, no accents, stemmed, stopwords dropped; bigrams for scripts without spaces
 * (Latin words and numbers among them stay whole). `language` is ISO 639-1; null detects it and falls back to English.
 */
export function analyse(text: string, language: string | null): Lexeme[] {
  const chosen = language ?? detectLanguage(text) ?? FALLBACK_LANGUAGE;
  const dropped = stopwords(chosen);
  const lexemes: Lexeme[] = [];
  for (const token of tokens(text)) {
    if (dropped.has(token.text)) continue;
    lexemes.push({ text: token.stemmable ? stem(token.text, chosen) : token.text, position: token.position });
  }
  return lexemes;
}

export interface Token extends Lexeme {
  stemmable: boolean;
}

/** Words, numbers and bigrams of a text, folded but not yet stemmed. */
export function tokens(text: string): Token[] {
  const found: Token[] = [];
  let position = 0;
  for (const match of fold(text.replace(APOSTROPHE, '')).matchAll(TOKEN)) {
    const { number, run, word } = match.groups ?? {};
    if (run !== undefined) for (const gram of bigrams(run)) found.push({ text: gram, position: ++position, stemmable: false });
    else if (number !== undefined) found.push({ text: plainNumber(number).slice(0, LONGEST), position: ++position, stemmable: false });
    else if (word !== undefined) found.push({ text: cut(word), position: ++position, stemmable: true });
  }
  return found;
}

/** Two neighbouring signs each; a sign that stands alone stays alone. Marks belong to the sign before them. */
function bigrams(run: string): string[] {
  const signs = run.match(/\P{M}\p{M}*|\p{M}+/gu) ?? [];
  if (signs.length < 2) return signs;
  return signs.slice(1).map((sign, index) => `${signs[index]}${sign}`);
}

/** `10,000` and `10.000` are one number in two countries. */
function plainNumber(number: string): string {
  return /^\p{N}{1,3}(?:[.,]\p{N}{3})+$/u.test(number) ? number.replace(/[.,]/g, '') : number;
}

function cut(word: string): string {
  return word.length <= LONGEST ? word : word.slice(0, LONGEST).toWellFormed();
}
