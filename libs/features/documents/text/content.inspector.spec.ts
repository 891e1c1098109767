import { AppError } from '@kernel/errors';
import { ContentInspector } from './content.inspector';

function inspect(bytes: Buffer, slice = 3, name = ''): string {
  const inspector = new ContentInspector(name);
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

  it('reads UTF-8 and UTF-16 with a byte order mark', () => {
    const text = '# Grüße 🙂\n';
    const little = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]);
    const big = Buffer.from(little).swap16();
    for (const bytes of [Buffer.from(`\ufeff${text}`), little, big]) expect(inspect(bytes)).toBe('text/markdown');
  });

  it.each([
    ['a page', '<!-- x -->\n<!DOCTYPE html><p>x', 'page.txt', 'text/html'],
    ['a piece of a page', '<p>One<br>two</p>\n<div>three</div>', '', 'text/html'],
    ['a read-me with elements', '<p align="center"><b>Tool</b></p>\n\n# Use\n', 'README.md', 'text/markdown'],
    ['a page without any usual beginning', 'Hello <b>you</b>', 'x.html', 'text/html'],
    ['JSON', '{"a": 1}', '', 'application/json'],
    ['JSON that is cut off, by its name', '{"a": [1, 2', 'x.json', 'application/json'],
    ['JSON that is cut off', '{"a": [1, 2', 'x.txt', 'text/plain'],
    ['JSON lines', '{"a": 1}\n{"a": 2}\n', 'log.txt', 'application/json'],
    ['a list in brackets', '[1] Smith, J. A book.\n[2] Doe, J. Another.', '', 'text/plain'],
    ['rows', 'a,b,c\n1,2,3\n4,5,6\n', 'x.txt', 'text/csv'],
    ['rows with semicolons', 'a;b\n1;2\n3;4\n', '', 'text/csv'],
    ['one column, by its name', 'a\n1\n2\n', 'x.csv', 'text/csv'],
    ['prose with commas', 'One, two, three\nRed, green, blue\nHere, there, nowhere\n', '', 'text/plain'],
    ['an older encoding', Buffer.from('Stra\xdfe und Gr\xfc\xdfe', 'latin1'), '', 'text/plain'],
    ['UTF-16 without a mark', Buffer.from('Plain words of a text file.', 'utf16le'), '', 'text/plain'],
    ['half a character in UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('\ud800x', 'utf16le')]), '', 'text/plain'],
    ['a PDF', '%PDF-1.7\nhello', 'x.txt', 'application/pdf'],
    [
      'a Word document',
      'PK\x03\x04....word/document.xml',
      'x.zip',
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    ],
  ])('tells %s', (_, content, name, expected) => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(content);
    for (const slice of [1, 3, 100_000]) expect(inspect(bytes, slice, name)).toBe(expected);
  });

  it.each([
    ['a ZIP archive', Buffer.from('PK\x03\x04x.zip')],
    ['an Excel workbook', Buffer.from('PK\x03\x04..xl/workbook.xml')],
    ['an old Office document', Buffer.from('\xd0\xcf\x11\xe0 Word', 'latin1')],
    ['a program', Buffer.from('MZ\x90\0\x03\0\0\0 This program cannot be run in DOS mode', 'latin1')],
    ['a program', Buffer.from('\x7fELF\x02\x01\x01', 'latin1')],
    ['a PNG image', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])],
    ['binary content', Buffer.from('a\0b\0c\0d\0e\0')],
    ['binary content', Buffer.from('a\0\xff\xfe\x80 more', 'latin1')],
    ['binary content', Buffer.from(`\xff${'a'.repeat(900)}\0`, 'latin1')],
    ['binary content', Buffer.from('a\x01\xff\x02\x80 more', 'latin1')],
  ])('refuses %s and says so', (what, bytes) => {
    expect(inspect(bytes)).toMatch(/^unsupported_media_type: /u);
    expect(inspect(bytes)).toContain(what);
  });

  it('refuses emptiness', () => {
    for (const text of ['', ' \n\t ', '\ufeff', '\u00a0\u200b']) expect(inspect(Buffer.from(text))).toMatch(/^unprocessable: /u);
  });

  it('says that an Office document is encrypted', () => {
    const bytes = Buffer.concat([Buffer.from([0xd0, 0xcf, 0x11, 0xe0]), Buffer.alloc(600), Buffer.from('EncryptedPackage', 'utf16le')]);
    expect(inspect(bytes)).toMatch(/^unprocessable: .*encrypted/u);
  });
});
