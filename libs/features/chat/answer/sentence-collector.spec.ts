import fc from 'fast-check';
import { LONGEST_SENTENCE, SentenceCollector } from './sentence-collector';

function collected(pieces: string[]): string[] {
  const collector = new SentenceCollector();
  return [...pieces.flatMap((piece) => collector.push(piece)), ...collector.rest()];
}

describe('SentenceCollector', () => {
  it('releases a sentence once the next one has begun', () => {
    const collector = new SentenceCollector();
    expect(collector.push('The gate opens at 7.30 in')).toEqual([]);
    expect(collector.push(' summer. It')).toEqual(['The gate opens at 7.30 in summer.']);
    expect(collector.push(' closes at dusk.')).toEqual([]);
    expect(collector.rest()).toEqual(['It closes at dusk.']);
    expect(collector.rest()).toEqual([]);
  });

  it('cuts what goes on without an end', () => {
    const pieces = collected(['word '.repeat(300)]);
    expect(pieces.length).toBeGreaterThan(3);
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(LONGEST_SENTENCE);
    expect(pieces.join(' ')).toBe('word '.repeat(300).trim());
  });

  it('loses nothing and never splits a surrogate pair', () => {
    const word = fc.constantFrom('Ja. ', 'nein ', '\n', '語。', '😀', 'x'.repeat(90), '1. ', 'Dr. ', '| a | b |\n', '!');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        const pieces = collected(words);
        const squeezed = (text: string): string => text.replace(/\s+/gu, '');
        expect(squeezed(pieces.join(''))).toBe(squeezed(words.join('')));
        for (const piece of pieces) expect(piece.isWellFormed() && piece.length <= LONGEST_SENTENCE).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
