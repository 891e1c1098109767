import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { DocumentParser } from '@backing/parsers';
import { detectLanguage } from '@features/vectors';
import { ContentInspector } from './content.inspector';

const FOLDER = join(__dirname, '..', '..', '..', '..', 'test', 'fixtures', 'formats');
const FILES = readdirSync(FOLDER).filter((name) => !name.endsWith('.golden.txt'));
const TYPES: Record<string, string> = {
  '.pdf': 'application/pdf',
  '.docx': 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  '.html': 'text/html',
  '.csv': 'text/csv',
  '.tsv': 'text/csv',
  '.json': 'application/json',
  '.jsonl': 'application/json',
  '.geojson': 'application/json',
  '.md': 'text/markdown',
  '.txt': 'text/plain',
};
/** Pages, and how each begins; an empty one is its number only. */
const PAGES: Record<string, string[]> = {
  'ferry-timetable.pdf': ['Ferry timetable', 'Winter service', 'Prices'],
  'japanese-rules.pdf': ['駐輪場の利用規則', '附則'],
  'mooring-contract.pdf': ['Mietvertrag', 'Anlage'],
  'rotated-table.pdf': ['Load table', 'The second page'],
  'slides.pdf': ['Harbour days', 'Saturday', '', 'Sunday'],
  'unembedded-fonts.pdf': ['図書室', '阅览室', '도서관', '圖書館'],
};
const LANGUAGES: Record<string, string> = {
  'arabic-rules.docx': 'ar',
  'chinese-manual.docx': 'zh',
  'forum-windows-1251.html': 'ru',
  'hebrew-pool.pdf': 'he',
  'japanese-rules.pdf': 'ja',
  'letter-windows-1252.txt': 'de',
  'mooring-contract.pdf': 'de',
  'mooring-contract-word.docx': 'de',
  'news-article.html': 'en',
  'notice-koi8-r.txt': 'ru',
  'recipe-shift-jis.txt': 'ja',
  'temple-euc-jp.html': 'ja',
  'two-columns.pdf': 'en',
};

describe('formats', () => {
  const parser = new DocumentParser();
  afterAll(() => parser.onApplicationShutdown());

  const bytesOf = (name: string): Buffer => readFileSync(join(FOLDER, name));
  const typeOf = (bytes: Buffer, name: string): string => {
    const inspector = new ContentInspector(name);
    for (let at = 0; at < bytes.length; at += 1_000) inspector.take(bytes.subarray(at, at + 1_000));
    return inspector.finish().mediaType;
  };
  const read = async (name: string) => {
    const bytes = bytesOf(name);
    return parser.parse({ bytes, mediaType: typeOf(bytes, name), name }, new AbortController().signal);
  };

  it('are covered by forty files', () => expect(FILES.length).toBeGreaterThanOrEqual(40));

  it.each(FILES)('%s', async (name) => {
    expect(typeOf(bytesOf(name), name)).toBe(TYPES[extname(name)]);
    const parsed = await read(name);
    expect(parsed.text).toBe(readFileSync(join(FOLDER, name.replace(/\.[a-z]+$/u, '.golden.txt')), 'utf8'));
    expect(parsed.pages === null).toBe(extname(name) !== '.pdf');
    if (LANGUAGES[name] !== undefined) expect(detectLanguage(parsed.text)).toBe(LANGUAGES[name]);
  });

  it.each(Object.entries(PAGES))('the pages of %s', async (name, beginnings) => {
    const { text, pages } = await read(name);
    expect(pages?.map(({ number }) => number)).toEqual(beginnings.map((_, index) => index + 1));
    let end = 0;
    for (const [index, page] of (pages ?? []).entries()) {
      expect(text.slice(end, page.start).trim()).toBe('');
      const content = text.slice(page.start, page.end);
      if (beginnings[index] === '') expect(content).toBe('');
      else expect(content.startsWith(beginnings[index] ?? '?')).toBe(true);
      end = page.end;
    }
    expect(end).toBe(text.length);
  });

  it('are told without their names, all but those that only a name tells', async () => {
    const told = FILES.filter((name) => typeOf(bytesOf(name), '') === TYPES[extname(name)]);
    // Without a name these are text: two columns with commas, or rows of different lengths.
    expect(FILES.filter((name) => !told.includes(name))).toEqual(['excel-sep.csv', 'export-ragged.csv', 'report-preamble.csv']);
  });
});
