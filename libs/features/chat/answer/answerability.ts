import { likeness } from './likeness';
import type { Question } from './question';
import { relation, type RankedUnit, type WordVectors } from './unit-score';

/** What tells whether the best units answer a question or only touch its theme. */
export interface AnswerSigns {
  /** Of the question without its names. */
  similarity: number;
  related: number;
  /** 1: what is asked for stands nowhere in the passages, nor anything like it in the best unit; 0: it does, or the wording shows nothing. */
  focusMissing: number;
}

const STANDS = 0.8;
const STANDS_SPACELESS = 0.5;

/** Weights of a logistic regression over the labelled questions of test/eval; cross-validated area under the curve 0.90 and 0.59. */
const NATIVE = { base: -4.9, similarity: 6.74, related: 4.64, focusMissing: -3.55 };
const FOREIGN = { base: -1.15, similarity: 4.03, related: 1.51, focusMissing: -1.25 };

export function answerSigns(question: Question, best: RankedUnit[], ranked: RankedUnit[], vectors: WordVectors): AnswerSigns {
  const [top] = best;
  if (top === undefined) return { similarity: 0, related: 0, focusMissing: 1 };
  const stands = (term: Question['focus'][number]): boolean =>
    ranked.some((unit) => likeness(term, unit.around) >= (term.spaceless ? STANDS_SPACELESS : STANDS));
  const met = question.focus.map((term) => (stands(term) ? 1 : relation(term, top, vectors)));
  return {
    similarity: top.coreSimilarity,
    related: top.related,
    focusMissing: met.length === 0 ? 0 : 1 - (question.focus[0]?.spaceless === true ? Math.min(...met) : Math.max(...met)),
  };
}

/** Positive when the units answer the question; `native`: the embedding model was made for the question's language. */
export function assurance(signs: AnswerSigns, native: boolean): number {
  const weights = native ? NATIVE : FOREIGN;
  return weights.base + weights.similarity * signs.similarity + weights.related * signs.related + weights.focusMissing * signs.focusMissing;
}
