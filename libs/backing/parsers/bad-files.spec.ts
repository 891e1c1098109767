import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Worker, type Transferable } from 'node:worker_threads';
import { deflateSync } from 'node:zlib';
import { AppError } from '@kernel/errors';
import { zip } from '../../../test/scripts/zip-writer';
import { DocumentParser } from './document.parser';

const FIXTURES = join(__dirname, '..', '..', '..', 'test', 'fixtures');
const PDF = 'application/pdf';
const DOCX = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
const fixture = (name: string): Buffer => readFileSync(join(FIXTURES, name));
const xml = (body: string, before = ''): Buffer =>
  Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>${before}<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><w:body>${body}</w:body></w:document>`,
  );
const paragraph = (text: string): string => `<w:p><w:r><w:t>${text}</w:t></w:r></w:p>`;
const RELATIONS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">';
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const docx = (document: Buffer, more: { name: string; bytes: Buffer }[] = []): Buffer =>
  zip([
    {
      name: '[Content_Types].xml',
      bytes: Buffer.from(
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
      ),
    },
    {
      name: '_rels/.rels',
      bytes: Buffer.from(`${RELATIONS}<Relationship Id="r1" Type="${OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>`),
    },
    { name: 'word/document.xml', bytes: document },
    ...more,
  ]);
/** A page whose content unpacks to so many megabytes of operators. */
const bombPdf = (megabytes: number): Buffer => {
  const packed = deflateSync(deflateSync(Buffer.alloc(megabytes * 1_048_576, 'q Q ')));
  const head = `%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R>>endobj\n4 0 obj<</Length ${packed.length}/Filter[/FlateDecode/FlateDecode]>>stream\n`;
  return Buffer.concat([Buffer.from(head), packed, Buffer.from('\nendstream endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n')]);
};

describe('files that cannot be read', () => {
  const parser = new DocumentParser();
  const strict = new DocumentParser({ seconds: 20, megabytes: 96 });
  afterAll(() => Promise.all([parser.onApplicationShutdown(), strict.onApplicationShutdown()]));

  const refused = async (bytes: Buffer, mediaType: string, by = parser, signal = new AbortController().signal): Promise<string> => {
    try {
      return `read: ${(await by.parse({ bytes: Buffer.from(bytes), mediaType, name: 'x' }, signal)).text.slice(0, 60)}`;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return `${error.retryable ? 'again, ' : ''}${error.code}: ${error.message}`;
    }
  };
  const ferry = fixture('formats/ferry-timetable.pdf');
  const rules = fixture('formats/house-rules.docx');

  it.each<[string, () => Buffer, string, RegExp]>([
    ['an encrypted PDF', () => fixture('bad/encrypted.pdf'), PDF, /^unprocessable: .*encrypted/u],
    ['a PDF of pictures', () => fixture('bad/pictures-only.pdf'), PDF, /^unprocessable: .*no text layer/u],
    [
      'a PDF whose fonts need what is not here',
      () => fixture('bad/unknown-map.pdf'),
      PDF,
      /^unprocessable: .*character map Adobe-Japan1-UCS2/u,
    ],
    ['a truncated PDF', () => ferry.subarray(0, ferry.length / 2), PDF, /^unprocessable: .*truncated/u],
    ['a PDF in name only', () => Buffer.from('%PDF-1.7\nnothing\n%%EOF'), PDF, /^unprocessable: .*damaged/u],
    ['a truncated Word document', () => rules.subarray(0, rules.length - 300), DOCX, /^unprocessable: .*truncated/u],
    ['a Word document with broken parts', () => Buffer.from(rules).fill(0x55, 1_000, 3_000), DOCX, /^unprocessable: .*damaged/u],
    ['an archive in an archive', () => zip([{ name: 'a.docx', bytes: rules, stored: true }]), DOCX, /^unsupported_media_type: /u],
    ['a part that says it is small', () => lying(), DOCX, /^unprocessable: .*damaged/u],
    ['a bomb', () => docx(xml(paragraph(' '.repeat(20_000_000)))), DOCX, /^too_large: .*200 times/u],
    ['many parts', () => docx(xml(''), manyParts()), DOCX, /^too_large: .*5000 parts/u],
    ['entities', () => docx(xml(paragraph('&a;'), '<!DOCTYPE x [<!ENTITY a "b">]>')), DOCX, /^unprocessable: .*entities/u],
    ['an encrypted part', () => flagged(), DOCX, /^unprocessable: .*encrypted/u],
    ['no text in it', () => docx(xml('<w:p/>')), DOCX, /^unprocessable: .*empty/u],
    ['tables in tables', () => docx(xml(nestedTables(3_000))), DOCX, /^unprocessable: .*(?:deep|damaged)/u],
    ['a page of nothing but depth', () => Buffer.from('<div>'.repeat(200_000)), 'text/html', /^unprocessable: .*nested/u],
    ['JSON of nothing but depth', () => Buffer.from('['.repeat(200_000)), 'application/json', /^unprocessable: .*nested/u],
    ['JSON that is cut off', () => Buffer.from('{"a": [1, 2'), 'application/json', /^unprocessable: .*truncated/u],
    ['JSON with a fault', () => Buffer.from('{"a": 1 2}'), 'application/json', /^unprocessable: .*character 8/u],
    ['JSON with a value that is none', () => Buffer.from('{"a": nil}'), 'application/json', /^unprocessable: .*value/u],
    ['JSON lines with a fault', () => Buffer.from('{"a": 1}\n{"a":\n'), 'application/json', /^unprocessable: .*line 2/u],
    ['an open quote', () => Buffer.from('a,b\n1,"open\n2,3\n'), 'text/csv', /^unprocessable: .*line 3.*quote/u],
  ])('%s', async (_, make, mediaType, expected) => {
    expect(await refused(make(), mediaType)).toMatch(expected);
  });

  it('a million rows, in bounded memory', async () => {
    const rows = ['id,name,remark', ...Array.from({ length: 1_000_000 }, (_, n) => `${n},row ${n},nothing`)].join('\n');
    expect(await refused(Buffer.from(rows), 'text/csv')).toMatch(/^too_large: .*100000 rows/u);
  });

  it('a PDF that unpacks to more memory than there is, and reads the next file', async () => {
    expect(await refused(bombPdf(700), PDF, strict)).toMatch(/^unprocessable: .*memory/u);
    expect(await refused(ferry, PDF, strict)).toMatch(/^read: Ferry/u);
  });

  it('a page that fills the heap, and reads the next file', async () => {
    const page = `<table>${'<tr><td>x<td>y'.repeat(600_000)}</table>`;
    expect(await refused(Buffer.from(page), 'text/html', strict)).toMatch(/^unprocessable: .*(?:memory|within)/u);
    expect(await refused(ferry, PDF, strict)).toMatch(/^read: Ferry/u);
  });

  it('what takes too long, and reads the next file', async () => {
    const quick = new DocumentParser({ seconds: 0.001, megabytes: 96 });
    expect(await refused(Buffer.from('<p>x</p>'.repeat(200_000)), 'text/html', quick)).toMatch(/^unprocessable: .*within 0.001 seconds/u);
    await quick.onApplicationShutdown();
  });

  it('nothing, when nobody waits any more', async () => {
    const ended = jest.spyOn(Worker.prototype, 'terminate');
    const post = jest.spyOn(Worker.prototype, 'postMessage');
    const begun = new Promise<void>((resolve) => {
      post.mockImplementationOnce(function (this: Worker, message: unknown, transfer?: readonly Transferable[]) {
        resolve();
        return this.postMessage(message, transfer);
      });
    });
    const stop = new AbortController();
    const reading = refused(Buffer.from('<p>x</p>'.repeat(400_000)), 'text/html', parser, stop.signal);
    const behind = refused(ferry, PDF);
    await begun;
    stop.abort(new AppError('cancelled', 'Enough.', { retryable: false }));
    expect(await reading).toBe('cancelled: Enough.');
    expect(ended).toHaveBeenCalledTimes(1);
    ended.mockRestore();
    post.mockRestore();
    expect(await behind).toMatch(/^read: Ferry/u);
  });

  it('external relations: reads the rest and fetches nothing', async () => {
    let asked = 0;
    const server = createServer((_, response) => response.end(String(++asked)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}/picture.png`;
    const picture = `<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"><a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphicData><pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:blipFill><a:blip r:link="e1"/></pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>`;
    const relations = `${RELATIONS}<Relationship Id="e1" Type="${OFFICE}/image" Target="${target}" TargetMode="External"/></Relationships>`;
    const bytes = docx(xml(paragraph('Words beside a picture.') + picture), [
      { name: 'word/_rels/document.xml.rels', bytes: Buffer.from(relations) },
    ]);
    expect(await refused(bytes, DOCX)).toBe('read: Words beside a picture.');
    expect(asked).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });
});

/** The sizes in the directory and in the entry itself are less than what comes out. */
function lying(): Buffer {
  const document = xml(paragraph('x'.repeat(5_000)));
  const bytes = docx(document);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(document.length);
  for (let at = bytes.indexOf(size); at !== -1; at = bytes.indexOf(size, at + 4)) bytes.writeUInt32LE(100, at);
  return bytes;
}

function flagged(): Buffer {
  const bytes = docx(xml(paragraph('x')));
  for (let at = bytes.indexOf('PK\x01\x02'); at !== -1; at = bytes.indexOf('PK\x01\x02', at + 4)) bytes[at + 8] = 1;
  return bytes;
}

function manyParts(): { name: string; bytes: Buffer }[] {
  return Array.from({ length: 6_000 }, (_, n) => ({ name: `x/${n}.bin`, bytes: Buffer.from('x') }));
}

function nestedTables(depth: number): string {
  return `${'<w:tbl><w:tr><w:tc>'.repeat(depth)}${paragraph('x')}${'</w:tc></w:tr></w:tbl>'.repeat(depth)}`;
}
