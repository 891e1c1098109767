import { Injectable } from '@nestjs/common';
import { Models, type UsageAccount } from '@features/models';
import type { Passage } from '@features/vectors';
import { evidenceUnits, unitLikeness, type EvidenceUnit } from './evidence-units';
import { holdsFigure } from './figures';
import { likeness } from './likeness';
import type { Question } from './question';
import type { Term } from './terms';

/** A unit with how well it answers; `score` orders units of one question, `assurance` can be compared between questions. */
export interface RankedUnit extends EvidenceUnit {
  score: number;
  /** Cosine similarity with the question. */
  similarity: number;
  /** Share of the question's weight that the unit holds word for word. */
  coverage: number;
  assurance: number;
}

export interface Evidence {
  /** Best first. */
  ranked: RankedUnit[];
  /** False: the passages are about the theme, but say nothing of what was asked. */
  answers: boolean;
}

interface Weighted {
  term: Term;
  weight: number;
}

const COVERAGE_WEIGHT = 0.6;
const RELATED_WEIGHT = 0.3;
const MISSING_FIGURE = 0.15;
const TITLE_LIKE = 0.1;
/** The sentence makes its topic what the question makes its own (Japanese `…は`, `…が`). */
const TOPIC = 0.15;
/** How much a similarity tells in a language that the embedding model was not made for. */
const FOREIGN_TRUST = 0.5;
const EARLIER_TURN = 0.4;
const NAME_WEIGHT = 0.5;
const REFINED = 5;
/** Cosine of two single words: from the first nothing, from the second as good as the same. */
const WORD_UNRELATED = 0.35;
const WORD_RELATED = 0.65;
const FOCUS_RELATED = 0.62;
const LEAST_ASSURANCE = 0.43;
/** Where similarity counts for half, less can be reached. */
const LEAST_ASSURANCE_FOREIGN = 0.3;
const SINGLE_SIGN = 0.5;

/**
 * Finds, among the sentences of retrieved passages, those that answer a question: idf-weighted words of the question, similarity of
 * sentence and question, similarity of single words for what is said otherwise, and whether a number stands where one was asked for.
 */
@Injectable()
export class EvidenceRanking {
  constructor(private readonly models: Models) {}

  async rank(question: Question, passages: Passage[], signal: AbortSignal, account: UsageAccount): Promise<Evidence> {
    const units = evidenceUnits(passages);
    if (units.length === 0) return { ranked: [], answers: false };
    const card = await this.models.resolve('embedding');
    const trust = card.languages.includes(question.language) ? 1 : FOREIGN_TRUST;
    const embed: Embed = async (texts, input = 'document') =>
      texts.length === 0 ? [] : (await this.models.embed({ model: card.id, texts, input, signal }, account)).vectors;
    const weighted = weigh(question, units);
    const similarities = await this.similarities(question, units, embed);
    const ranked = units
      .map((unit, index) => first(question, unit, weighted, (similarities[index] ?? 0) * trust))
      .sort((a, b) => b.score - a.score);
    const best = ranked.slice(0, REFINED);
    await refine(question, best, weighted, trust === 1 ? embed : undefined);
    best.sort((a, b) => b.score - a.score);
    return { ranked: [...best, ...ranked.slice(REFINED)], answers: await answers(question, best, units, trust === 1 ? embed : undefined) };
  }

  /** The better of two readings: the sentence alone, and under its heading. */
  private async similarities(question: Question, units: EvidenceUnit[], embed: Embed): Promise<number[]> {
    const texts = units.flatMap((unit) => [clip(unit.shown), clip(unit.heading === '' ? unit.shown : `${unit.heading}: ${unit.shown}`)]);
    const distinct = [...new Set(texts)];
    const [asked] = await embed([clip(question.query.replaceAll('\n', ' '))], 'query');
    const vectors = await embed(distinct);
    const of = new Map(distinct.map((text, index) => [text, vectors[index]]));
    return units.map((_, index) =>
      Math.max(cosine(asked, of.get(texts[2 * index] ?? '')), cosine(asked, of.get(texts[2 * index + 1] ?? ''))),
    );
  }
}

type Embed = (texts: string[], input?: 'query' | 'document') => Promise<Float32Array[]>;

/** Long units are compared by their beginning; an embedding model reads no more at once. */
const CLIP = 600;
const clip = (text: string): string => (text.length <= CLIP ? text : text.slice(0, CLIP).toWellFormed());

function cosine(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (a === undefined || b === undefined) return 0;
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** Rare words weigh more: inverse document frequency among the units (Robertson and Spärck Jones, as in BM25). */
function weigh(question: Question, units: EvidenceUnit[]): Weighted[] {
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

function first(question: Question, unit: EvidenceUnit, weighted: Weighted[], similarity: number): RankedUnit {
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0) || 1;
  const coverage = weighted.reduce((sum, { term, weight }) => sum + weight * unitLikeness(term, unit), 0) / total;
  const figureMissing = holdsFigure(question.wants, unit) ? 0 : MISSING_FIGURE;
  const titleLike = /[.!?。:：|)]$|\p{N}/u.test(unit.shown) ? 0 : TITLE_LIKE;
  const score = similarity + COVERAGE_WEIGHT * coverage + (isTopic(question, unit) ? TOPIC : 0) - figureMissing - titleLike;
  return { ...unit, similarity, coverage, score, assurance: 0 };
}

function isTopic(question: Question, unit: EvidenceUnit): boolean {
  return question.focus.some((term) => term.spaceless && (unit.shown.includes(`${term.text}は`) || unit.shown.includes(`${term.text}が`)));
}

/** Looks closer at the best: words that stand there in another form of words count as far as they are related. */
async function refine(question: Question, best: RankedUnit[], weighted: Weighted[], embed: Embed | undefined): Promise<void> {
  const vectors =
    embed === undefined
      ? new Map<string, Float32Array>()
      : await wordVectors(
          weighted.map(({ term }) => term),
          best,
          embed,
        );
  for (const unit of best) {
    let total = 0;
    let held = 0;
    for (const { term, weight } of weighted) {
      const factor = weight * (term.name ? NAME_WEIGHT : 1);
      total += factor;
      held += factor * Math.max(unitLikeness(term, unit), 0.9 * relation(term, unit, vectors));
    }
    const related = total === 0 ? 0 : held / total;
    unit.score += RELATED_WEIGHT * related;
    unit.assurance = 0.5 * unit.similarity + 0.4 * related + 0.1 * unit.coverage;
  }
}

async function wordVectors(asked: Term[], units: EvidenceUnit[], embed: Embed): Promise<Map<string, Float32Array>> {
  const words = new Set([...asked, ...units.flatMap((unit) => unit.content)].filter((term) => !term.spaceless).map((term) => term.text));
  const list = [...words];
  const vectors = await embed(list);
  return new Map(list.flatMap((word, index) => (vectors[index] === undefined ? [] : [[word, vectors[index]] as const])));
}

function relation(term: Term, unit: EvidenceUnit, vectors: ReadonlyMap<string, Float32Array>): number {
  const similarity = nearest(term, unit, vectors);
  return Math.max(0, Math.min(1, (similarity - WORD_UNRELATED) / (WORD_RELATED - WORD_UNRELATED)));
}

function nearest(term: Term, unit: EvidenceUnit, vectors: ReadonlyMap<string, Float32Array>): number {
  const asked = vectors.get(term.text);
  if (asked === undefined) return 0;
  return unit.content.reduce((best, word) => Math.max(best, cosine(asked, vectors.get(word.text))), 0);
}

/** The best unit must be near enough, and what the question asks for must stand somewhere in the passages, or its like in the unit. */
async function answers(question: Question, best: RankedUnit[], units: EvidenceUnit[], embed: Embed | undefined): Promise<boolean> {
  const [top] = best;
  const least = embed === undefined ? LEAST_ASSURANCE_FOREIGN : LEAST_ASSURANCE;
  if (top === undefined || Math.max(...best.map((unit) => unit.assurance)) < least) return false;
  const { focus } = question;
  if (focus.length === 0 || focus.some((term) => units.some((unit) => likeness(term, unit.around) >= (term.spaceless ? 0.5 : 0.8))))
    return true;
  if (embed === undefined) return false;
  const vectors = await wordVectors(focus, [top], embed);
  return focus.some((term) => nearest(term, top, vectors) >= FOCUS_RELATED);
}
