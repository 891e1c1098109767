import type { EvidenceUnit } from './evidence-units';
import { likeness, termSet, type TermSet } from './likeness';
import { terms, type Term } from './terms';

/** Neighbouring units of one passage, read together. */
export interface Support {
  units: EvidenceUnit[];
}

export interface SupportRule {
  /** Share of the sentence's content words that must stand in the units. */
  words: number;
  /** Most neighbouring units that may be read together. */
  reach: number;
}

/** For what is released of a starter model: every word, within two sentences. */
export const STRICT: SupportRule = { words: 1, reach: 2 };
/** For naming the source of what a stronger model says in its own words. */
export const SOURCE: SupportRule = { words: 0.6, reach: 3 };

const SAME_WORD = 0.6;
const SAME_NAME = 0.8;
const FEWEST_WORDS = 2;
const CLAUSE = /[,;、；]\s|、|\s(?:and|but|or|und|aber|oder|sowie)\s|[.。]\s/u;
const DENIALS: Record<string, RegExp> = {
  en: /\b(?:not|no|never|nobody|none|nothing|neither|nor|without|cannot|unless|except)\b|n['’]t\b/iu,
  de: /\b(?:nicht|kein\w*|nie|niemals|niemand|nichts|ohne|weder)\b/iu,
};

/**
 * The units that say what the sentence says: all its numbers and names, most of its content words, and a denial exactly where it denies.
 * Undefined when no passage supports it. Compares words only, so it costs nothing while a model is writing.
 */
export function supportOf(sentence: string, language: string, units: EvidenceUnit[], rule: SupportRule): Support | undefined {
  const found = terms(sentence, language).filter((term) => !term.stop);
  const exact = found.filter((term) => term.number !== null || term.name);
  const words = found.filter((term) => term.number === null && !term.name);
  if (words.length < FEWEST_WORDS && exact.length === 0) return undefined;
  const denies = denial(sentence, language);
  let best: { support: Support; share: number } | undefined;
  for (const window of windows(units, rule.reach)) {
    const share = shareOf(words, exact, window);
    if (share < rule.words || denial(textOf(window), language) !== denies) continue;
    if (!isTight(words, exact, window, share) || isCrossed(found, window, language)) continue;
    if (best === undefined || share > best.share) best = { support: { units: window }, share };
  }
  return best?.support;
}

/** 0 when a number or name is missing, else the share of the words. */
function shareOf(words: Term[], exact: Term[], window: EvidenceUnit[]): number {
  const sets = window.map((unit) => unit.own);
  const [first] = window;
  const held = (term: Term, least: number, among: TermSet[]): boolean => among.some((set) => likeness(term, set) >= least);
  const named = first === undefined ? sets : [...sets, first.around];
  for (const term of exact) if (!held(term, SAME_NAME, term.number === null ? named : sets)) return 0;
  if (words.length === 0) return 1;
  return words.filter((term) => held(term, SAME_WORD, sets)).length / words.length;
}

/**
 * Whether the sentence joins a number with words that stand beside another number: "seven in May, nine in June" does not support "nine in May".
 */
function isCrossed(found: Term[], window: EvidenceUnit[], language: string): boolean {
  const clauses = window.flatMap((unit) => unit.shown.split(CLAUSE)).map((text) => ({ text, terms: terms(text, language) }));
  const numbers = new Set(found.flatMap((term) => term.number ?? []));
  const isBeside = (clause: { terms: Term[] }): boolean => clause.terms.some((term) => term.number !== null && numbers.has(term.number));
  const beside = clauses.filter(isBeside).map((clause) => termSet(clause.terms, clause.text));
  const rivals = clauses.filter((clause) => !isBeside(clause)).map((clause) => termSet(counted(clause.terms), ''));
  if (beside.length === 0) return false;
  const within = (term: Term, among: TermSet[]): boolean => among.some((clause) => likeness(term, clause) >= SAME_WORD);
  return found.some((term) => term.number === null && !within(term, beside) && within(term, rivals));
}

/** What a clause says about its number: the words after it, and a name before it; what else stands before it is often the subject of all clauses. */
function counted(clause: Term[]): Term[] {
  const at = clause.findIndex((term) => term.number !== null);
  return at < 0 ? [] : clause.filter((term, index) => index > at || (term.name && term.number === null));
}

/** Every unit at the edge adds something; else a neighbour's denial would count for a sentence that it has nothing to do with. */
function isTight(words: Term[], exact: Term[], window: EvidenceUnit[], share: number): boolean {
  if (window.length === 1) return true;
  return shareOf(words, exact, window.slice(1)) < share && shareOf(words, exact, window.slice(0, -1)) < share;
}

function* windows(units: EvidenceUnit[], reach: number): Generator<EvidenceUnit[]> {
  for (let size = 1; size <= reach; size += 1) {
    for (let start = 0; start + size <= units.length; start += 1) {
      const window = units.slice(start, start + size);
      if (size === 1 || window.every((unit) => unit.passage === window[0]?.passage && !unit.row)) yield window;
    }
  }
}

function denial(text: string, language: string): boolean {
  return DENIALS[language]?.test(text) ?? false;
}

function textOf(window: EvidenceUnit[]): string {
  return window.map((unit) => unit.shown).join(' ');
}

/** Whether two sentences say the same words. */
export function sameWords(a: string, b: string, language: string): boolean {
  const of = (text: string): TermSet => termSet(terms(text, language), text);
  const [first, second] = [of(a).lexemes, of(b).lexemes];
  return first.size === second.size && [...first].every((lexeme) => second.has(lexeme));
}
