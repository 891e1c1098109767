import type { Passage } from '@features/vectors';
import { answerSigns, assurance, type AnswerSigns } from './answerability';
import { evidenceUnits } from './evidence-units';
import { readQuestion } from './question';
import { scored, weigh } from './unit-score';

const PASSAGE: Passage = {
  id: 'c1',
  collectionId: 'k1',
  documentId: 'd1',
  document: 'glider.md',
  kind: 'chunk',
  ordinal: 0,
  page: null,
  start: 0,
  end: 0,
  heading: 'Hangar',
  text: 'The hangar holds seven gliders. Its rent is 90 florins. The windsock is orange. A tractor tows the gliders.',
  language: 'en',
  score: 1,
  scores: { vector: 0.5, text: 1 },
  coverage: 1,
  found: true,
};

/** The signs when the unit at `place` is the best one; without word vectors. */
function signsOf(text: string, place: number): AnswerSigns {
  const question = readQuestion(text, []);
  const units = evidenceUnits([PASSAGE]);
  const weighted = weigh(question, units);
  const ranked = units.map((unit) => scored(question, unit, weighted, { whole: 0.5, core: 0.5, passage: 0.5 }));
  const near = ranked.filter((unit) => Math.abs(unit.place - place) <= 1);
  const [top] = ranked.filter((unit) => unit.place === place);
  if (top === undefined) throw new Error(`There is no unit ${place}.`);
  return answerSigns(question, { top, near, ranked, weighted, vectors: new Map() });
}

describe('answerability', () => {
  it('sees that what is asked for stands in the best sentence', () => {
    expect(signsOf('What rent does the hangar cost?', 1)).toMatchObject({ focusMissing: 0, focusAway: 0 });
  });

  it('tells apart what stands elsewhere in the passage from what stands nowhere', () => {
    expect(signsOf('What rent does the hangar cost?', 3)).toMatchObject({ focusMissing: 0, focusAway: 1 });
    expect(signsOf('What insurance does the hangar cost?', 1)).toMatchObject({ focusMissing: 1, focusAway: 1 });
  });

  it('counts words that the neighbours hold, word for word only those of the sentence itself', () => {
    const { related, own } = signsOf('Is there a tractor near the windsock?', 2);
    expect(related).toBeGreaterThan(own);
    expect(own).toBeGreaterThan(0);
  });

  it('is less sure the less of the question stands there', () => {
    const asked = signsOf('What rent does the hangar cost?', 1);
    const missing = signsOf('What insurance does the hangar cost?', 1);
    expect(assurance(missing, true)).toBeLessThan(assurance(asked, true));
    expect(assurance(missing, false)).toBeLessThan(assurance(asked, false));
  });

  it('goes by the words of a question whose grammar it does not know', () => {
    const nothing = signsOf('Combien coûte une assurance automobile pour les touristes étrangers ?', 0);
    expect(nothing.focusMissing).toBe(1);
    expect(assurance(nothing, false)).toBeLessThan(0);
  });
});
