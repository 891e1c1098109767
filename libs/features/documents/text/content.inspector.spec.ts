import { AppError } from '@kernel/errors';
import { ContentInspector } from './content.inspector';
import { decode } from './decode';

function inspect(bytes: Buffer, slice = 3): string {
  const inspector = new ContentInspector();
  try {
    for (let at = 0; at < bytes.length; at += slice) inspector.take(bytes.subarray(at, at + slice));
    return inspector.finish().mediaType;
  } catch (error) {
    if (error instanceof AppError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

describe('ContentInspector', () => {
  it.each([
    ['plain', 'Just a text.', 'text/plain'],
    ['a heading', 'Intro\n\n## Title\n', 'text/markdown'],
    ['an underlined heading', 'Title\n=====\n\ntext', 'text/markdown'],
    ['a table', 'a | b\n--- | ---\n1 | 2', 'text/markdown'],
    ['a hash that is no heading', '#hashtag and #1', 'text/plain'],
    ['one letter', 'x', 'text/plain'],
    ['Japanese', '保証期間', 'text/plain'],
  ])('%s', (_, text, expected) => {
    for (const slice of [1, 3, 100_000]) expect(inspect(Buffer.from(text), slice)).toBe(expected);
  });

  it('reads UTF-8 and UTF-16 with a byte order mark', async () => {
    const text = '# Grüße 🙂\n';
    const little = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]);
    const big = Buffer.from(little).swap16();
    for (const bytes of [Buffer.from(`\ufeff${text}`), little, big]) {
      expect(inspect(bytes)).toBe('text/markdown');
      expect(await decode(bytes)).toBe(text);
    }
  });

  it.each([
    ['a PDF', Buffer.from('%PDF-1.7\nhello')],
    ['a ZIP archive or an Office document', Buffer.from('PK\x03\x04docx')],
    ['a PNG image', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])],
    ['HTML', Buffer.from('  <!DOCTYPE html><p>x')],
    ['another encoding', Buffer.from('Stra\xdfe und Gr\xfc\xdfe', 'latin1')],
    ['binary content', Buffer.from('a\0b\0c\0d\0e\0')],
    ['binary content', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('\ud800x', 'utf16le')])],
    ['binary content', Buffer.from('cut \xf0\x9f', 'latin1')],
  ])('refuses %s and says so', (what, bytes) => {
    expect(inspect(bytes)).toMatch(/^unsupported_media_type: /u);
    expect(inspect(bytes)).toContain(what);
  });

  it('refuses emptiness', () => {
    for (const text of ['', ' \n\t ', '\ufeff', '\u00a0\u200b']) expect(inspect(Buffer.from(text))).toMatch(/^unprocessable: /u);
  });

  it('puts U+FFFD for U+0000 and keeps the offsets', async () => {
    const text = `a\0${'b'.repeat(100)}`;
    expect(inspect(Buffer.from(text))).toBe('text/plain');
    expect(await decode(Buffer.from(text))).toBe(`a\ufffd${'b'.repeat(100)}`);
  });
});
