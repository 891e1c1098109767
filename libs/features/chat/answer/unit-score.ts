import type { EvidenceUnit } from './evidence-units';
import { unitLikeness } from './evidence-units';
import { holdsFigure } from './figures';
import { likeness } from './likeness';
import type { Question } from './question';
import type { Term } from './terms';

/** A unit with how well it answers, compared with the other units of the same question. */
export interface RankedUnit extends EvidenceUnit {
  score: number;
  /** Cosine similarity with the question, and with the question without its names. */
  similarity: number;
  coreSimilarity: number;
  /** Share of the question's weight that the unit holds word for word. */
  coverage: number;
  /** The same with related words counted as far as they are related; set for the best units only. */
  related: number;
}

/** Cosine similarities with the question: of the unit, of the unit without the question's names, and of the passage around it. */
export interface Similarity {
  whole: number;
  core: number;
  passage: number;
}

/** A word of the question with its weight: rare words weigh more. */
export interface Weighted {
  term: Term;
  weight: number;
}

/** Word vectors by folded word. */
export type WordVectors = ReadonlyMap<string, Float32Array>;

/** A sentence stands better in a passage that is near the question as a whole. */
const PASSAGE_WEIGHT = 0.5;
const COVERAGE_WEIGHT = 0.6;
const RELATED_WEIGHT = 0.3;
const MISSING_FIGURE = 0.15;
const TITLE_LIKE = 0.1;
/** The sentence makes its topic what the question makes its own (Japanese `…は`, `…が`). */
const TOPIC = 0.15;
const EARLIER_TURN = 0.4;
const NAME_WEIGHT = 0.5;
const SINGLE_SIGN = 0.5;
/** Cosine of two single words: from the first nothing, from the second as good as the same. */
const WORD_UNRELATED = 0.35;
const WORD_RELATED = 0.65;
const RELATED_SHARE = 0.9;

export function cosine(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (a === undefined || b === undefined) return 0;
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** Weights of the question's words: inverse document frequency among the units (Robertson and Spärck Jones, as in BM25). */
export function weigh(question: Question, units: EvidenceUnit[]): Weighted[] {
  const seen = new Map<string, Weighted>();
  const add = (term: Term, factor: number): void => {
    if (seen.has(term.lexeme)) return;
    const frequency = units.filter((unit) => likeness(term, unit.own) === 1).length;
    const idf = Math.log(1 + (units.length - frequency + 0.5) / (frequency + 0.5));
    const single = term.spaceless && [...term.text].length === 1 ? SINGLE_SIGN : 1;
    seen.set(term.lexeme, { term, weight: idf * factor * single });
  };
  for (const term of question.content) add(term, 1);
  for (const term of question.earlier) add(term, EARLIER_TURN);
  return [...seen.values()];
}

/** The first look at a unit: similarity, words, and whether it holds the wanted kind of figure. */
export function scored(question: Question, unit: EvidenceUnit, weighted: Weighted[], near: Similarity): RankedUnit {
  const coverage = heldShare(weighted, (term) => unitLikeness(term, unit));
  const figureMissing = holdsFigure(question.wants, unit) ? 0 : MISSING_FIGURE;
  const titleLike = /[.!?。:：|)]$|\p{N}/u.test(unit.shown) ? 0 : TITLE_LIKE;
  const similar = near.whole + PASSAGE_WEIGHT * near.passage;
  const score = similar + COVERAGE_WEIGHT * coverage + (isTopic(question, unit) ? TOPIC : 0) - figureMissing - titleLike;
  return { ...unit, similarity: near.whole, coreSimilarity: near.core, coverage, score, related: coverage };
}

/** Share of the question's weight; `held` tells of each word how surely it is there. */
export function heldShare(weighted: Weighted[], held: (term: Term) => number): number {
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0) || 1;
  return weighted.reduce((sum, { term, weight }) => sum + weight * held(term), 0) / total;
}

function isTopic(question: Question, unit: EvidenceUnit): boolean {
  return question.focus.some((term) => term.spaceless && (unit.shown.includes(`${term.text}は`) || unit.shown.includes(`${term.text}が`)));
}

/** A closer look: words that stand there in other words count as far as they are related. */
export function refined(unit: RankedUnit, weighted: Weighted[], vectors: WordVectors): RankedUnit {
  const related = relatedShare([unit], weighted, vectors);
  return { ...unit, related, score: unit.score + RELATED_WEIGHT * related };
}

/** Share of the question's weight that units hold together, in its words or in related ones. */
export function relatedShare(units: EvidenceUnit[], weighted: Weighted[], vectors: WordVectors): number {
  let total = 0;
  let held = 0;
  for (const { term, weight } of weighted) {
    const factor = weight * (term.name ? NAME_WEIGHT : 1);
    total += factor;
    held += factor * Math.max(...units.map((unit) => Math.max(unitLikeness(term, unit), RELATED_SHARE * relation(term, unit, vectors))));
  }
  return total === 0 ? 0 : held / total;
}

/** How near the unit's nearest word is to a term, 0..1. */
export function relation(term: Term, unit: EvidenceUnit, vectors: WordVectors): number {
  return Math.max(0, Math.min(1, (nearest(term, unit, vectors) - WORD_UNRELATED) / (WORD_RELATED - WORD_UNRELATED)));
}

/** Cosine similarity of a term and the unit's nearest word; 0 without vectors. */
export function nearest(term: Term, unit: EvidenceUnit, vectors: WordVectors): number {
  const asked = vectors.get(term.text);
  return asked === undefined ? 0 : unit.content.reduce((best, word) => Math.max(best, cosine(asked, vectors.get(word.text))), 0);
}
