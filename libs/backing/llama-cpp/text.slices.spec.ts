import fc from 'fast-check';
import { slices } from './text.slices';

describe('slices', () => {
  it('are the text, cut between a letter or digit and white space or punctuation', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'Ж', '日', '7', 'é', '𝔸'), minLength: 1, maxLength: 12 });
    const gap = fc.constantFrom(' ', ', ', '. ', '\n\n', '。', '-');
    fc.assert(
      fc.property(fc.array(fc.tuple(word, gap), { minLength: 1, maxLength: 20 }), (words) => {
        const text = words
          .map(([one, after]) => one + after)
          .join('')
          .repeat(800);
        const parts = [...slices(text)];
        expect(parts.join('')).toBe(text);
        for (const part of parts.slice(0, -1)) expect(part).toMatch(/[\p{L}\p{N}]$/u);
        for (const part of parts.slice(1)) expect(part).toMatch(/^[\s\p{P}]/u);
        expect(Math.max(...parts.map(({ length }) => length))).toBeLessThan(9_000);
      }),
      { numRuns: 50 },
    );
  });

  it('cuts a text without any boundary, but not inside a character', () => {
    const text = `x${'🦊'.repeat(60_000)}`;
    const parts = [...slices(text)];
    expect(parts.join('')).toBe(text);
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.every((part) => part.isWellFormed())).toBe(true);
  });

  it('are none for an empty text', () => {
    expect([...slices('')]).toEqual([]);
  });
});
