import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PostgresClient, sql } from '@backing/postgres';
import { startApi, type Registered, type TestApi } from '../support/api';
import { DocumentsOf } from '../support/documents';
import { describeModels } from '../support/models';

const FOLDER = join(__dirname, '..', 'fixtures', 'formats');
const FILES = readdirSync(FOLDER).filter((name) => !name.endsWith('.golden.txt'));
const golden = (name: string): string => readFileSync(join(FOLDER, name.replace(/\.[a-z]+$/u, '.golden.txt')), 'utf8');

interface ChunkRow {
  kind: string;
  page: number | null;
  start: number;
  end: number;
  heading: string | null;
  text: string;
}

describeModels('Documents of every format', () => {
  let api: TestApi;
  let me: Registered;
  let mine: DocumentsOf;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000' } });
    me = await api.register();
    mine = new DocumentsOf(api, me);
  });
  afterAll(() => api.close());

  const chunksOf = async (id: string): Promise<ChunkRow[]> =>
    api.app
      .get(PostgresClient, { strict: false })
      .query<ChunkRow>(
        sql`SELECT kind, page, start_offset AS start, end_offset AS "end", heading, text FROM points WHERE document_id = ${id} ORDER BY kind, ordinal`,
      );

  it.each(FILES)('%s: chunks are exact slices that cover the text', async (name) => {
    const document = await mine.ready(await mine.upload(readFileSync(join(FOLDER, name)), name));
    const text = golden(name);
    const { json } = await api.get(`/api/v1/documents/${document.id}/text`, me.accessToken);
    expect(json).toMatchObject({ text, length: text.length });
    const rows = await chunksOf(document.id);
    const chunks = rows.filter(({ kind }) => kind === 'chunk');
    expect(chunks.length).toBe(document.chunks);
    let covered = 0;
    for (const { start, end, text: slice, page } of chunks) {
      expect(slice).toBe(text.slice(start, end));
      expect(text.slice(covered, Math.max(covered, start)).trim()).toBe('');
      covered = Math.max(covered, end);
      expect(page === null).toBe(document.pages === null);
    }
    expect(text.slice(covered).trim()).toBe('');
  });

  it('a chunk of a PDF begins on its page', async () => {
    const pages = ['The first page tells of the harbour.', 'The second page tells of the light.', 'The third page tells of the fog horn.'];
    const document = await mine.ready(await mine.upload(pdf(pages), 'pages.pdf'));
    expect(document).toMatchObject({ pages: 3, chunks: 3, language: 'en' });
    const chunks = (await chunksOf(document.id)).filter(({ kind }) => kind === 'chunk');
    expect(chunks.map(({ page, text }) => [page, text])).toEqual(pages.map((text, index) => [index + 1, text]));
  });

  it('the header of a table stands with each chunk, also in the midst of a row', async () => {
    const remark = (row: number): string => Array.from({ length: 40 }, (_, n) => `Remark ${n} about vessel ${row} is here.`).join(' ');
    const rows = Array.from({ length: 12 }, (_, row) => `Vessel ${row},${1990 + row},"${remark(row)}"`);
    const document = await mine.ready(await mine.upload(`Name,Built,Remark\n${rows.join('\n')}\n`, 'vessels.csv'));
    const chunks = (await chunksOf(document.id)).filter(({ kind }) => kind === 'chunk');
    expect(chunks.length).toBeGreaterThan(20);
    expect(new Set(chunks.map(({ heading }) => heading))).toEqual(new Set(['Name | Built | Remark']));
    expect(chunks.some(({ text }) => !text.includes('Name: '))).toBe(true);
  });

  it.each<[string, Buffer, string, number, string]>([
    ['an empty file', Buffer.from(''), 'x.pdf', 422, 'unprocessable'],
    [
      'a renamed program',
      Buffer.concat([Buffer.from('MZ\x90\0\x03\0\0\0', 'latin1'), Buffer.alloc(2_000)]),
      'x.pdf',
      415,
      'unsupported_media_type',
    ],
    ['a renamed archive', Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(2_000)]), 'x.docx', 415, 'unsupported_media_type'],
    [
      'a renamed picture',
      Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47]), Buffer.alloc(2_000)]),
      'x.html',
      415,
      'unsupported_media_type',
    ],
  ])('%s is refused and leaves nothing', async (_, bytes, name, status, code) => {
    const before = await mine.remains();
    const answer = await mine.upload(bytes, name);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(await mine.remains()).toEqual(before);
  });

  it.each<[string, () => Buffer, RegExp, string?]>([
    ['encrypted.pdf', () => readFileSync(join(FOLDER, '..', 'bad', 'encrypted.pdf')), /encrypted/u],
    ['pictures-only.pdf', () => readFileSync(join(FOLDER, '..', 'bad', 'pictures-only.pdf')), /no text layer/u],
    ['truncated.pdf', () => readFileSync(join(FOLDER, 'ferry-timetable.pdf')).subarray(0, 2_000), /truncated/u],
    ['million-rows.csv', () => Buffer.from(`id,name,remark\n${millionRows()}`), /more than 100000 rows/u, 'too_large'],
    ['truncated.docx', () => readFileSync(join(FOLDER, 'house-rules.docx')).subarray(0, -200), /truncated/u],
  ])('%s fails at once and for good, and nothing of it is found', async (name, bytes, message, code = 'unprocessable') => {
    const before = await mine.remains();
    const { id, jobId } = mine.accepted(await mine.upload(bytes(), name));
    expect((await mine.events(jobId)).at(-1)).toMatchObject({ event: 'error', data: { code, retryable: false } });
    const document = await mine.get(id);
    expect(document).toMatchObject({
      status: 'failed',
      chunks: 0,
      error: { code, message: expect.stringMatching(message) },
    });
    const after = await mine.settled((remains) => remains.points === before.points && remains.blobs.length === before.blobs.length + 1);
    expect({ points: after.points, vectors: after.vectors }).toEqual({ points: before.points, vectors: before.vectors });
    // The original stays with the failed document, for another try.
    expect(after.blobs.filter((key) => !before.blobs.includes(key))).toEqual([`documents/${id}/1`]);
  });
});

function millionRows(): string {
  return Array.from({ length: 1_000_000 }, (_, n) => `${n},row ${n},nothing`).join('\n');
}

/** A PDF with one line on each page. */
function pdf(lines: string[]): Buffer {
  const kids = lines.map((_, index) => `${4 + index * 2} 0 R`).join(' ');
  const objects = [
    '1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj',
    `2 0 obj<</Type/Pages/Kids[${kids}]/Count ${lines.length}>>endobj`,
    '3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj',
    ...lines.flatMap((line, index) => {
      const content = `BT /F 12 Tf 72 700 Td (${line}) Tj ET`;
      return [
        `${4 + index * 2} 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>>>/Contents ${5 + index * 2} 0 R>>endobj`,
        `${5 + index * 2} 0 obj<</Length ${content.length}>>stream\n${content}\nendstream endobj`,
      ];
    }),
  ];
  return Buffer.from(`%PDF-1.4\n${objects.join('\n')}\ntrailer<</Root 1 0 R>>\n%%EOF\n`);
}
