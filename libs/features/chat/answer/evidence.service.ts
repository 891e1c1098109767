import { Injectable } from '@nestjs/common';
import { Models, type UsageAccount } from '@features/models';
import type { Passage } from '@features/vectors';
import type { ModelCard } from '@kernel/models';
import { answerSigns, assurance, type AnswerSigns } from './answerability';
import { evidenceUnits, type EvidenceUnit } from './evidence-units';
import type { Question } from './question';
import type { Term } from './terms';
import { TextVectors } from './text-vectors';
import { cosine, refined, scored, weigh, type RankedUnit, type WordVectors } from './unit-score';

export interface Evidence {
  /** Best first. */
  ranked: RankedUnit[];
  /** False: the passages are about the theme, but say nothing of what was asked. */
  answers: boolean;
  signs: AnswerSigns;
}

interface Similarity {
  whole: number;
  core: number;
}

type Embed = (texts: string[], input?: 'query' | 'document') => Promise<(Float32Array | undefined)[]>;

/** How much a similarity tells in a language that the embedding model was not made for. */
const FOREIGN_TRUST = 0.5;
/** Units that get the closer look. */
const REFINED = 5;
/** Long units are compared by their beginning; an embedding model reads no more at once. */
const CLIP = 600;
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
    const similarities = await similaritiesOf(question, units, embed, native ? 1 : FOREIGN_TRUST);
    const ranked = units
      .map((unit, index) => scored(question, unit, weighted, similarities[index]?.whole ?? 0, similarities[index]?.core ?? 0))
      .sort(byScore);
    const words = [...weighted.map(({ term }) => term), ...question.focus];
    const vectors = native ? await wordVectors(words, ranked.slice(0, REFINED), embed) : new Map<string, Float32Array>();
    const best = ranked
      .slice(0, REFINED)
      .map((unit) => refined(unit, weighted, vectors))
      .sort(byScore);
    const signs = answerSigns(question, best, ranked, vectors);
    return { ranked: [...best, ...ranked.slice(REFINED)], answers: best.length > 0 && assurance(signs, native) > 0, signs };
  }

  private embedding(card: ModelCard, signal: AbortSignal, account: UsageAccount): Embed {
    const embed = async (texts: string[], input: 'query' | 'document'): Promise<Float32Array[]> =>
      (await this.models.embed({ model: card.id, texts, input, signal }, account)).vectors;
    return (texts, input = 'document') => {
      const read = texts.map(clipped);
      return input === 'query' ? embed(read, input) : this.known.of(card.id, read, (missing) => embed(missing, input));
    };
  }
}

/** Of each unit the better of two readings: the sentence alone, and under its heading. */
async function similaritiesOf(question: Question, units: EvidenceUnit[], embed: Embed, trust: number): Promise<Similarity[]> {
  const readings = units.map((unit) => [unit.shown, unit.heading === '' ? unit.shown : `${unit.heading}: ${unit.shown}`]);
  const distinct = [...new Set(readings.flat())];
  const [whole, core] = await embed([question.query.replaceAll('\n', ' '), question.core], 'query');
  const vectors = await embed(distinct);
  const of = new Map(distinct.map((text, index) => [text, vectors[index]]));
  const best = (asked: Float32Array | undefined, texts: string[]): number =>
    trust * Math.max(...texts.map((text) => cosine(asked, of.get(text))));
  return readings.map((texts) => ({ whole: best(whole, texts), core: best(core, texts) }));
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
