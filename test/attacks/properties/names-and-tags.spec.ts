import fc from 'fast-check';
import { acceptedVersions, entityTag } from '../../../apps/api/src/http/entity-tag';
import { pageQuery } from '../../../apps/api/src/http/page.schema';
import { createCollectionBody } from '../../../apps/api/src/vectors/collections.schema';
import { cleanName, nameOfUrl } from '../../../libs/features/documents/document-name';

const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc
    .array(
      fc.constantFrom(
        '..',
        '.',
        '/',
        '\\',
        '\0',
        '\n',
        '\u202e',
        '\u2066',
        '%2e',
        '%2f',
        'C:',
        ' ',
        'a',
        'é',
        'e\u0301',
        '🙂',
        '\ud800',
        'con',
      ),
    )
    .map((parts) => parts.join('')),
);

describe('B01, B05, B07 names', () => {
  it('B01, B07 of files carry no folder, no control character and nothing that turns the reading direction', () => {
    fc.assert(
      fc.property(nasty, (given) => {
        const name = cleanName(given);
        if (name === null) return;
        expect(name).not.toMatch(/[/\\\p{Cc}\p{Bidi_Control}]/u);
        expect(['', '.', '..']).not.toContain(name);
        expect(name.length).toBeLessThanOrEqual(255);
        expect(name.isWellFormed()).toBe(true);
      }),
      { numRuns: 5000, examples: [['../../etc/passwd'], ['..\\..\\x'], ['a\0.txt'], ['..\u202e'], ['\u202e..'], ['. .'], ['/']] },
    );
  });

  it('B01 of files fetched from an address are judged after their escapes are undone', () => {
    fc.assert(
      fc.property(nasty, fc.boolean(), (given, twice) => {
        const once = encodeURIComponent(given.toWellFormed());
        const { name } = nameOfUrl(`https://example.org/${twice ? encodeURIComponent(once) : once}`);
        expect(name).not.toMatch(/[/\\\p{Cc}\p{Bidi_Control}]/u);
        expect(['', '.', '..']).not.toContain(name);
      }),
      {
        numRuns: 2000,
        examples: [
          ['../x', false],
          ['../x', true],
          ['%2e%2e%2fx', false],
        ],
      },
    );
  });

  it('B05, B20 of collections are short plain words, the same in every alphabet and case', () => {
    fc.assert(
      fc.property(nasty, (name) => {
        const { success } = createCollectionBody.safeParse({ name });
        expect([name, success]).toEqual([name, /^[a-z0-9][a-z0-9_-]{0,62}$/.test(name) && !name.includes('\n')]);
      }),
      { numRuns: 3000, examples: [['default'], ['a\n'], ['A'], ['../a'], ['ａ'], ['a'.repeat(64)], ['-a']] },
    );
  });
});

describe('J02 cursors and entity tags', () => {
  const uuid = fc.uuid({ version: [4, 7] });

  it('J02 cursors are ids in one spelling, or refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          nasty,
          uuid,
          uuid.map((id) => id.toUpperCase()),
        ),
        (after) => {
          const answer = pageQuery.safeParse({ after });
          const right = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(after) && !after.includes('\n');
          expect([after, answer.success]).toEqual([
            after,
            right || /^(?:0{8}-0{4}-0{4}-0{4}-0{12}|f{8}-f{4}-f{4}-f{4}-f{12})$/.test(after),
          ]);
          if (answer.success) expect(answer.data.after).toBe(after.toLowerCase());
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('J02 the size of a page is a whole number within its bounds', () => {
    fc.assert(
      fc.property(
        fc.oneof(nasty, fc.double().map(String), fc.integer().map(String), fc.constantFrom('1e2', '0x10', ' 5 ', '5.0')),
        (limit) => {
          const answer = pageQuery.safeParse({ limit });
          if (!answer.success) return;
          expect(Number.isInteger(answer.data.limit)).toBe(true);
          expect(answer.data.limit).toBeGreaterThanOrEqual(1);
          expect(answer.data.limit).toBeLessThanOrEqual(100);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('J02 a tag accepts its version alone, a list its versions, and nothing else any', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 999_999_999 }), { minLength: 1, maxLength: 5 }), nasty, (versions, other) => {
        expect(acceptedVersions(versions.map(entityTag).join(' , '))).toEqual(versions);
        expect(acceptedVersions(versions.map((version) => `W/${entityTag(version)}`).join(','))).toEqual([]);
        const strong = new Set([...other.matchAll(/"(\d{1,9})"/g)].map(([, digits]) => Number(digits)));
        const accepted = acceptedVersions(other);
        if (accepted === undefined) expect(other.trim()).toBe('*');
        else expect(accepted.filter((version) => !strong.has(version))).toEqual([]);
      }),
      { numRuns: 3000 },
    );
  });
});
