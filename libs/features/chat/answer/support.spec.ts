import type { Passage } from '@features/vectors';
import { evidenceUnits } from './evidence-units';
import { passageOf } from '../../../../test/support/passages';
import { SOURCE, STRICT, sameWords, supportOf } from './support';

const GARDEN = passageOf({
  document: 'garden.md',
  heading: 'Garden › Watering',
  text:
    'The roses are watered every 3 days in July. Nobody may use the old well. The pump delivers 40 litres a minute.\n\n' +
    '| Bed | Plants | Depth |\n| --- | --- | --- |\n| North | 12 | 5 cm |\n| South | 30 | 8 cm |\n',
});

function supports(sentence: string, passages: Passage[] = [GARDEN], rule = STRICT): string | undefined {
  return supportOf(sentence, 'en', evidenceUnits(passages), rule)
    ?.units.map((unit) => unit.shown)
    .join(' ');
}

describe('supportOf', () => {
  it('finds the sentence that says the same', () => {
    expect(supports('The roses are watered every 3 days.')).toBe('The roses are watered every 3 days in July.');
    expect(supports('In July the roses are watered every three days.')).toBe('The roses are watered every 3 days in July.');
  });

  it.each([
    ['another number', 'The roses are watered every 5 days in July.'],
    ['a number of another sentence', 'The roses are watered every 40 days in July.'],
    ['another name', 'The roses are watered every 3 days in August.'],
    ['a denial that is not there', 'The roses are not watered every 3 days in July.'],
    ['a denial that is left out', 'Everybody may use the old well.'],
    ['words of its own', 'The roses are pruned and fed with compost every 3 days in July.'],
    ['nothing to check', 'Yes.'],
  ])('refuses a sentence with %s', (_, sentence) => {
    expect(supports(sentence)).toBeUndefined();
  });

  it('reads a table row with the names of its columns', () => {
    expect(supports('South has 30 plants at a depth of 8 cm.')).toBe('South: Plants: 30, Depth: 8 cm');
    expect(supports('North has 30 plants.')).toBeUndefined();
  });

  it('reads neighbours together, but never two passages', () => {
    const text = 'The cellar has two doors. One of them leads to the river.';
    const [first = '', second = ''] = text.split('. ');
    expect(supports('The cellar doors lead to the river.', [passageOf({ text })])).toBe(text);
    expect(
      supports('The cellar doors lead to the river.', [passageOf({ text: `${first}.` }), passageOf({ text: second })]),
    ).toBeUndefined();
  });

  it('keeps numbers with what they count', () => {
    const passages = [passageOf({ text: 'The shop opens for nine hours in summer and for seven hours in winter.' })];
    expect(supports('In summer the shop opens for nine hours.', passages)).toBeDefined();
    expect(supports('The shop opens for 7 hours in winter.', passages)).toBeDefined();
    expect(supports('In winter the shop opens for nine hours.', passages)).toBeUndefined();
  });

  it('names a source for a sentence in other words only under the wider rule', () => {
    const sentence = 'According to the plan, the roses are watered every 3 days in July, which keeps them fresh.';
    expect(supports(sentence)).toBeUndefined();
    expect(supports('Roses get watered regularly, every 3 days in July.', [GARDEN], SOURCE)).toBeDefined();
  });
});

describe('sameWords', () => {
  it('sees a repetition in another order', () => {
    expect(sameWords('The pump delivers 40 litres.', '40 litres the pump delivers', 'en')).toBe(true);
    expect(sameWords('The pump delivers 40 litres.', 'The pump delivers 50 litres.', 'en')).toBe(false);
  });
});
