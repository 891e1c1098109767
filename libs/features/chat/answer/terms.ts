import { analyse } from '@features/vectors';
import { askingWords } from './light-words';
import { numeralOf } from './numerals';

/** A word of a text, or a run of Han or katakana signs, with what is needed to look for it in another text. */
export interface Term {
  /** As written. */
  written: string;
  /** Folded: lower case, no accents. */
  text: string;
  /** Stemmed in the text's language; the folded form for scripts without spaces. */
  lexeme: string;
  spaceless: boolean;
  /** A function word: means nothing by itself. */
  stop: boolean;
  /** Belongs to the asking, not to what is asked about. */
  light: boolean;
  /** A proper name or a code, as far as its spelling shows it. */
  name: boolean;
  /** The number that it writes (`3,870`, `twelve`), in one spelling. */
  number: string | null;
}

const RUN = '\\p{Script=Han}+|[\\p{Script=Katakana}ー]+';
const KANA = '\\p{Script=Hiragana}+';
const SIGN = '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}ー]';
const WORD = `(?:(?!${SIGN})[\\p{L}\\p{N}\\p{M}])+(?:[.,-]\\p{N}(?:(?!${SIGN})[\\p{L}\\p{N}])*)*`;
const TOKEN = new RegExp(`(?<run>${RUN})|(?<kana>${KANA})|(?<word>${WORD})`, 'gu');
/** `何メートル`, `何年間`, `誰`: the asking itself. */
const ASKING_SIGNS = /[何幾]\p{Script=Han}{0,2}[\p{Script=Katakana}ー]*|誰/gu;
/** A language that no analyser knows: words are folded, not stemmed and not dropped. */
const UNSTEMMED = 'und';

/** The terms of a text in order. Hiragana is grammar and yields none. */
export function terms(text: string, language: string | null): Term[] {
  const found: Term[] = [];
  const normal = text
    .normalize('NFKC')
    .replace(/(?<=\p{L})['’]s(?!\p{L})/gu, '')
    .replace(ASKING_SIGNS, ' ');
  for (const match of normal.matchAll(TOKEN)) {
    const { run, word } = match.groups ?? {};
    if (run !== undefined) found.push(spaceless(run));
    if (word !== undefined) found.push(wordTerm(word, language ?? 'en', opensSentence(normal, match.index)));
  }
  return found;
}

/** The terms that say what a text is about. */
export function contentTerms(text: string, language: string | null): Term[] {
  return terms(text, language).filter((term) => !term.stop && !term.light);
}

function spaceless(run: string): Term {
  return { written: run, text: run, lexeme: run, spaceless: true, stop: false, light: false, name: false, number: null };
}

function wordTerm(word: string, language: string, opening: boolean): Term {
  const digits = /\p{N}/u.test(word);
  // A code such as `XY-7` is one word; the analyser would take it apart.
  const text = digits ? word.toLowerCase() : (analyse(word, UNSTEMMED)[0]?.text ?? word.toLowerCase());
  const lexeme = digits ? text : analyse(word, language)[0]?.text;
  const number = numeralOf(text);
  return {
    written: word,
    text,
    lexeme: lexeme ?? text,
    spaceless: false,
    stop: lexeme === undefined && number === null,
    light: askingWords(language).has(text),
    name: digits || isName(word, language, opening),
    number,
  };
}

/** German writes every noun with a capital, so a capital says nothing there. */
function isName(word: string, language: string, opening: boolean): boolean {
  return language !== 'de' && !opening && /^\p{Lu}/u.test(word) && word.length > 1;
}

function opensSentence(text: string, index: number): boolean {
  return /(?:^|[.!?:;"“”*_|(\n]\s*)$/u.test(text.slice(Math.max(0, index - 4), index));
}
