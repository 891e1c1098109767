import fc from 'fast-check';
import { MarkerFilter } from './marker.filter';

function filtered(pieces: string[], passages: number): string {
  const filter = new MarkerFilter(passages);
  return pieces.map((piece) => filter.push(piece)).join('') + filter.end();
}

describe('MarkerFilter', () => {
  it.each([
    ['It sails at noon [1].', 'It sails at noon [1].'],
    ['It sails at noon [4].', 'It sails at noon.'],
    ['It sails [1, 7] at noon [0].', 'It sails [1] at noon.'],
    ['A list [] and [a] and [12x] stay', 'A list [] and [a] and [12x] stay'],
    ['Inline `a[9]` stays, [9] goes', 'Inline `a[9]` stays, goes'],
    ['```\nlist[8]\n``` then [8]', '```\nlist[8]\n``` then'],
    ['An open end [', 'An open end ['],
    ['Two  [9] spaces [2][3][9]', 'Two  spaces [2][3]'],
  ])('of three passages turns %j into %j', (text, expected) => {
    expect(filtered([text], 3)).toBe(expected);
  });

  it('gives the same text however the stream is cut', () => {
    const sign = fc.constantFrom('[', ']', '1', '2', '9', ',', ' ', 'a', '`', '.', '\n', '語');
    fc.assert(
      fc.property(fc.array(sign), fc.array(fc.nat({ max: 5 })), (signs, cuts) => {
        const text = signs.join('');
        const pieces: string[] = [];
        let rest = text;
        for (const cut of cuts) {
          pieces.push(rest.slice(0, cut));
          rest = rest.slice(cut);
        }
        expect(filtered([...pieces, rest], 2)).toBe(filtered([text], 2));
      }),
      { numRuns: 2_000 },
    );
  });

  it('holds nothing back that cannot become a marker', () => {
    const filter = new MarkerFilter(1);
    expect(filter.push('one [')).toBe('one');
    expect(filter.push('1')).toBe('');
    expect(filter.push('x')).toBe(' [1x');
  });
});
