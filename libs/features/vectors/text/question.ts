import { FALLBACK_LANGUAGE, tokens, type Token } from './analyse';
import { detectLanguage } from './language';
import { stem } from './stem';
import { stopwords } from './stopwords';

/** A form under which a word of the question may stand in the ledger; forms of one word share its number. */
export interface Term {
  word: number;
  lexeme: string;
}

/**
 * The terms of a question over documents in these languages: each word stemmed as each language would, one word counting once however many
 * languages know it. A word that is a stopword in the question's own language, or (when that cannot be told) in any of them, is no term.
 */
export function questionTerms(question: string, languages: string[]): Term[] {
  const own = detectLanguage(question);
  const among = languages.length === 0 ? [FALLBACK_LANGUAGE] : [...new Set(languages)];
  const dropping = own !== null && among.includes(own) ? [own] : among;
  const kept = withoutKanaGrammar(tokens(question).filter((token) => !dropping.some((language) => stopwords(language).has(token.text))));
  const words = new Map<string, number>();
  const terms = new Map<string, Term>();
  for (const token of kept) {
    const word = words.get(token.text) ?? words.size + 1;
    words.set(token.text, word);
    const forms = token.stemmable ? among.map((language) => stem(token.text, language)) : [token.text];
    for (const lexeme of forms) if (!terms.has(lexeme)) terms.set(lexeme, { word, lexeme });
  }
  return [...terms.values()];
}

/** Hiragana beside Han or Katakana is mostly particles and endings, which say nothing about the subject. */
function withoutKanaGrammar(found: Token[]): Token[] {
  const content = found.filter((token) => !/^\p{Script=Hiragana}+$/u.test(token.text));
  return content.length === 0 ? found : content;
}
