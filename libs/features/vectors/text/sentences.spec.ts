import fc from 'fast-check';
import { sentences } from './sentences';

const split = (text: string): string[] => sentences(text).map(({ start, end }) => text.slice(start, end));

describe('sentences', () => {
  it('splits Latin text and goes on after abbreviations, initials and dates', () => {
    expect(split('Dr. Weber came at 8.30. He left on 3. January, i.e. late. Why?')).toEqual([
      'Dr. Weber came at 8.30.',
      'He left on 3. January, i.e. late.',
      'Why?',
    ]);
    expect(split('Das gilt z. B. Montags. Danach nicht.')).toEqual(['Das gilt z. B. Montags.', 'Danach nicht.']);
  });

  it('splits text without spaces', () => {
    expect(split('開館は九時です。閉館は五時です！休みは？')).toEqual(['開館は九時です。', '閉館は五時です！', '休みは？']);
  });

  it('joins the lines of a wrapped paragraph', () => {
    expect(split('One sentence over\ntwo lines. Another\r\none.\n\nNext paragraph')).toEqual([
      'One sentence over\ntwo lines.',
      'Another\r\none.',
      'Next paragraph',
    ]);
  });

  it('keeps headings, items, rows and code lines whole', () => {
    const text =
      '# Title. With dot\nBody one. Body two.\n- item one. still it\n  wrapped\n- item two\n\n| a. b | c |\n|---|---|\n```\nx = 1. y\n```\nSetext\n---\n';
    expect(split(text)).toEqual([
      '# Title. With dot',
      'Body one.',
      'Body two.',
      '- item one. still it\n  wrapped',
      '- item two',
      '| a. b | c |',
      '|---|---|',
      '```',
      'x = 1. y',
      '```',
      'Setext\n---',
    ]);
  });

  it('loses nothing but white space, in order, for any text', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.constantFrom('. ', '。', '\n', '\r\n', '- ', '| ', '# ', '```', '\n\n', 'Dr. ', '🙂', '\u2028'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join('');
        let last = 0;
        for (const { start, end } of sentences(text)) {
          expect(text.slice(last, start).trim()).toBe('');
          expect(end).toBeGreaterThan(start);
          last = end;
        }
        expect(text.slice(last).trim()).toBe('');
      }),
      { numRuns: 500 },
    );
  });
});
