import fc from 'fast-check';
import { Chunker, type Chunk, type ChunkLimits, type TokenCount } from './chunker';
import { outline } from './outline';
import { overview } from './overview';
import { turnsDuring } from '../../../../test/support/turns';

/** Tokens as a WordPiece tokenizer would roughly count them: four letters each, every other sign alone. */
const count: TokenCount = async (texts) => texts.map((text) => text.match(/[\p{L}\p{N}]{1,4}|[^\s\p{L}\p{N}]/gu)?.length ?? 0);
const LIMITS: ChunkLimits = { size: 200, overlap: 30, most: 256 };

const chunksOf = async (text: string, limits = LIMITS, counter = count): Promise<Chunk[]> =>
  new Chunker(text, await outline(text, true), limits, counter).chunks();

const sentence = (words: number, seed: number): string =>
  `So ${Array.from({ length: words }, (_, n) => `w${(seed * 31 + n * 7) % 97}`).join(' ')}.`;
const prose = (sentences: number): string => Array.from({ length: sentences }, (_, n) => sentence(9, n)).join(' ');

describe('Chunker', () => {
  it('keeps a section together and names the headings above it', async () => {
    const text = `# Boat\n\nIntro here.\n\n## Engine\n\n${prose(4)}\n\n### Oil\n\nChange it yearly.\n`;
    const chunks = await chunksOf(text);
    expect(chunks.map((chunk) => chunk.path)).toEqual([['Boat'], ['Boat', 'Engine'], ['Boat', 'Engine', 'Oil']]);
    expect(chunks.map((chunk) => chunk.input.split('\n')[0])).toEqual(['# Boat', 'Boat', 'Boat › Engine']);
    expect(chunks[2]?.text).toBe('### Oil\n\nChange it yearly.');
  });

  it('reads a heading without text of its own with what follows', async () => {
    const chunks = await chunksOf('# A\n\n## B\n\nText of b.\n\n## C\n\nText of c.\n');
    expect(chunks.map((chunk) => chunk.text)).toEqual(['# A\n\n## B\n\nText of b.', '## C\n\nText of c.']);
    expect(chunks[0]?.input).toBe(chunks[0]?.text);
  });

  it('takes no heading out of code, comments or front matter', async () => {
    const text = '---\ntitle: x\n---\n```\n# not one\n```\n<!--\n# nor this\n-->\n\nReal\n====\n\nBody.\n';
    const chunks = await chunksOf(text);
    expect(new Set(chunks.flatMap((chunk) => chunk.path))).toEqual(new Set(['Real']));
  });

  it('repeats whole sentences up to the overlap', async () => {
    const text = prose(60);
    const chunks = await chunksOf(text);
    expect(chunks.length).toBeGreaterThan(2);
    for (const [index, chunk] of chunks.slice(1).entries()) {
      const before = chunks[index];
      expect(chunk.start).toBeLessThan(before?.end ?? 0);
      const [repeated] = await count([text.slice(chunk.start, before?.end)]);
      expect(repeated).toBeGreaterThan(0);
      expect(repeated).toBeLessThanOrEqual(LIMITS.overlap);
    }
  });

  it('keeps rows and items whole', async () => {
    const rows = Array.from({ length: 80 }, (_, n) => `| row ${n} | ${sentence(5, n)} More text. |`);
    const chunks = await chunksOf(`# T\n\n| a | b |\n|---|---|\n${rows.join('\n')}\n`);
    expect(chunks.length).toBeGreaterThan(3);
    for (const row of rows) expect(chunks.some((chunk) => chunk.text.includes(row))).toBe(true);
  });

  it('leaves headings out of the input that would not leave the text its room', async () => {
    const long = sentence(60, 1).slice(0, -1);
    const [first, second] = await chunksOf(`# ${long}\n\n## Short\n\nA.\n\n## Other\n\nB.\n`);
    expect(first?.input.startsWith('# ')).toBe(true);
    expect(second?.path).toEqual([long, 'Other']);
    expect(second?.input).toBe('## Other\n\nB.');
  });

  it('stays under the limits with a tokenizer that counts more for the whole', async () => {
    const dear: TokenCount = async (texts) => (await count(texts)).map((tokens) => Math.ceil(tokens * (1 + tokens / 200)));
    for (const chunk of await chunksOf(prose(50), LIMITS, dear)) expect((await dear([chunk.text]))[0]).toBeLessThanOrEqual(LIMITS.size);
  });

  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 60 }) },
    { weight: 2, arbitrary: fc.lorem({ mode: 'sentences', maxCount: 4 }) },
    { weight: 1, arbitrary: fc.constantFrom('🙂'.repeat(900), 'x'.repeat(3_000), '文'.repeat(700), 'ab '.repeat(600)) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        '\n\n',
        '\n# H\n',
        '\n## H2\n',
        '\n- item ',
        '\n| a | b |',
        '\n```\n',
        '\r\n',
        '\n===\n',
        '---\n',
        '。',
        '\t',
      ),
    },
  );

  it('covers any text with exact slices under the limits and splits no character', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 25 }), async (pieces) => {
        const text = pieces.join('').toWellFormed();
        const chunks = await chunksOf(text, { size: 50, overlap: 8, most: 70 });
        let covered = 0;
        for (const chunk of chunks) {
          expect(text.slice(chunk.start, chunk.end)).toBe(chunk.text);
          expect(chunk.text.isWellFormed()).toBe(true);
          expect(text.slice(covered, Math.max(covered, chunk.start)).trim()).toBe('');
          covered = Math.max(covered, chunk.end);
          const [tokens = 0, inputTokens = 0] = await count([chunk.text, chunk.input]);
          expect(tokens).toBeLessThanOrEqual(50);
          expect(chunk.tokens).toBe(tokens);
          expect(inputTokens).toBeLessThanOrEqual(70);
        }
        expect(text.slice(covered).trim()).toBe('');
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  it('lets others have the event loop dozens of times over a megabyte', async () => {
    const text = `# Big\n\n${Array.from({ length: 1_700 }, (_, n) => `## Part ${n}\n\n${prose(16)}\n\n| a | b |\n|---|---|\n| ${n} | x |\n`).join('\n')}`;
    expect(text.length).toBeGreaterThan(1_000_000);
    const { turns, result: chunks } = await turnsDuring(() => chunksOf(text));
    expect(chunks.length).toBeGreaterThan(1_000);
    expect(turns).toBeGreaterThan(50);
  }, 60_000);
});

describe('overview', () => {
  const of = async (text: string, name = 'notes.txt', most = 256) => {
    const read = await outline(text, true);
    const chunks = await new Chunker(text, read, LIMITS, count).chunks();
    return overview(text, { outline: read, chunks }, name, most, count);
  };

  it('holds the title, the headings and the opening', async () => {
    const text = `# Boat\n\nIntro here.\n\n## Engine\n\n${prose(30)}`;
    const found = await of(text);
    expect(found.outline).toBe('Boat\nEngine');
    expect(found.input.startsWith('Boat\nEngine\n# Boat\n\nIntro here.')).toBe(true);
    expect((await count([found.input]))[0]).toBeLessThanOrEqual(256);
    expect(text.slice(0, found.end).endsWith('.')).toBe(true);
  });

  it('is named after the file where there is no heading, and never empty', async () => {
    const found = await of(`${'word '.repeat(190)}end.`);
    expect(found.outline).toBe('notes.txt');
    expect(found.end).toBeGreaterThan(0);
  });
});
