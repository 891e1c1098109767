import { Injectable } from '@nestjs/common';
import { Models, type UsageAccount } from '@features/models';
import type { Passage } from '@features/vectors';
import type { ModelCard } from '@kernel/models';
import { answerSigns, assurance, type AnswerSigns } from './answerability';
import { evidenceUnits, type EvidenceUnit } from './evidence-units';
import type { Question } from './question';
import type { Term } from './terms';
import { TextVectors } from './text-vectors';
import { cosine, refined, scored, weigh, type RankedUnit, type Similarity, type WordVectors } from './unit-score';

export interface Evidence {
  /** Best first. */
  ranked: RankedUnit[];
  /** False: the passages are about the theme, but say nothing of what was asked. */
  answers: boolean;
  /** Undefined without passages. */
  signs?: AnswerSigns;
}

type Embed = (texts: string[], input?: 'query' | 'document') => Promise<(Float32Array | undefined)[]>;

/** How much a similarity tells in a language that the embedding model was not made for. */
const FOREIGN_TRUST = 0.5;
/** Units that get the closer look. */
const REFINED = 5;
/** Long units are compared by their beginning; an embedding model reads no more at once. */
const CLIP = 600;
const UNLIKE: Similarity = { whole: 0, core: 0, passage: 0 };
/** About 6 MB at 384 dimensions. */
const KEPT_VECTORS = 4_000;

/**
 * Finds, among the sentences of retrieved passages, those that answer a question: idf-weighted words of the question, similarity of
 * sentence and question, similarity of single words for what is said otherwise, and whether a figure stands where one was asked for.
 */
@Injectable()
export class EvidenceRanking {
  private readonly known = new TextVectors(KEPT_VECTORS);

  constructor(private readonly models: Models) {}

  async rank(question: Question, passages: Passage[], signal: AbortSignal, account: UsageAccount): Promise<Evidence> {
    const units = evidenceUnits(passages);
    const card = await this.models.resolve('embedding');
    const native = card.languages.includes(question.language);
    const embed = this.embedding(card, signal, account);
    const weighted = weigh(question, units);
    const similarities = await similaritiesOf(question, units, passages, embed, native);
    const ranked = units.map((unit, index) => scored(question, unit, weighted, similarities[index] ?? UNLIKE)).sort(byScore);
    const words = [...weighted.map(({ term }) => term), ...question.focus];
    const vectorsOf = async (read: EvidenceUnit[]): Promise<WordVectors> => (native ? wordVectors(words, read, embed) : new Map());
    const vectors = await vectorsOf(ranked.slice(0, REFINED));
    const best = ranked
      .slice(0, REFINED)
      .map((unit) => refined(unit, weighted, vectors))
      .sort(byScore);
    const [top] = best;
    if (top === undefined) return { ranked, answers: false };
    const near = neighbours(top, ranked);
    const signs = answerSigns(question, { top, near, ranked, weighted, vectors: await vectorsOf(near) });
    return { ranked: [...best, ...ranked.slice(REFINED)], answers: assurance(signs, native) > 0, signs };
  }

  private embedding(card: ModelCard, signal: AbortSignal, account: UsageAccount): Embed {
    const embed = async (texts: string[], input: 'query' | 'document'): Promise<Float32Array[]> =>
      (await this.models.embed({ model: card.id, texts, input, signal }, account, 'admitted')).vectors;
    return (texts, input = 'document') => {
      const read = texts.map(clipped);
      return input === 'query' ? embed(read, input) : this.known.of(card.id, read, (missing) => embed(missing, input));
    };
  }
}

/** The unit with the sentences before and after it. */
function neighbours(unit: RankedUnit, ranked: RankedUnit[]): RankedUnit[] {
  return ranked.filter((other) => other.passage === unit.passage && Math.abs(other.place - unit.place) <= 1);
}

/** Of each unit the better of two readings: the sentence alone, and under its heading. A foreign language's passages all look alike: left out. */
async function similaritiesOf(
  question: Question,
  units: EvidenceUnit[],
  passages: Passage[],
  embed: Embed,
  native: boolean,
): Promise<Similarity[]> {
  const readings = units.map((unit) => [unit.shown, unit.heading === '' ? unit.shown : `${unit.heading}: ${unit.shown}`]);
  const distinct = [...new Set(readings.flat())];
  const [whole, core] = await embed([question.query.replaceAll('\n', ' '), question.core], 'query');
  const vectors = await embed(distinct);
  const of = new Map(distinct.map((text, index) => [text, vectors[index]]));
  const best = (asked: Float32Array | undefined, texts: string[]): number =>
    (native ? 1 : FOREIGN_TRUST) * Math.max(...texts.map((text) => cosine(asked, of.get(text))));
  const around = (unit: EvidenceUnit | undefined): number => (native ? (passages[unit?.passage ?? -1]?.scores.vector ?? 0) : 0);
  return readings.map((texts, index) => ({ whole: best(whole, texts), core: best(core, texts), passage: around(units[index]) }));
}

async function wordVectors(asked: Term[], units: EvidenceUnit[], embed: Embed): Promise<WordVectors> {
  const words = new Set([...asked, ...units.flatMap((unit) => unit.content)].filter((term) => !term.spaceless).map((term) => term.text));
  const list = [...words];
  const vectors = await embed(list);
  return new Map(list.flatMap((word, index) => (vectors[index] === undefined ? [] : [[word, vectors[index]] as const])));
}

function byScore(a: RankedUnit, b: RankedUnit): number {
  return b.score - a.score;
}

function clipped(text: string): string {
  return text.length <= CLIP ? text : text.slice(0, CLIP).toWellFormed();
}
