import fc from 'fast-check';
import { StopFilter } from './stop.filter';

describe('StopFilter', () => {
  it('lets out exactly what stands before the first stop string, however the text is cut', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c') });
    const stop = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(letters), fc.array(stop, { maxLength: 3 }), (pieces, stops) => {
        const filter = new StopFilter(stops);
        const out = pieces.map((piece) => filter.push(piece)).join('') + filter.rest();
        const text = pieces.join('');
        const ends = stops.map((one) => text.indexOf(one)).filter((index) => index >= 0);
        // A stop string is recognised as soon as it is whole, so of two that overlap the one that ends first wins.
        if (ends.length === 0) expect(out).toBe(text);
        else expect(stops.some((one) => text.startsWith(one, out.length)) && text.startsWith(out)).toBe(true);
        expect(filter.stopped).toBe(ends.length > 0);
      }),
    );
  });

  it('holds back only what may begin a stop string', () => {
    const filter = new StopFilter(['</end>']);
    expect(filter.push('all </e')).toBe('all ');
    expect(filter.push('nough')).toBe('</enough');
    expect(filter.push('</end> more')).toBe('');
    expect(filter.stopped).toBe(true);
    expect(filter.rest()).toBe('');
  });
});
