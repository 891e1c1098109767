import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { PostgresClient, sql } from '@backing/postgres';
import { Blobs } from '@kernel/blobs';
import { RouteTable } from '../../../apps/api/src/http/route-table';
import { zip } from '../../scripts/zip-writer';
import { loadScript } from '../../scripts/load-script';
import { startApi, type ApiAnswer, type Registered, type TestApi } from '../../support/api';
import { DocumentsOf } from '../../support/documents';
import { describeModels } from '../../support/models';
import { CanaryHttp } from '../network/canary-http';
import { innerPart } from '../network/inner-part';
import { SimulatedInternet } from '../network/simulated-internet';

const NOBODY = '0197a5b0-0000-7000-8000-000000000000';
const KEY = /^(?:documents|texts)\/[0-9a-f-]{36}\/\d+$/;
const DOCX_TYPE = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

interface Archive {
  checkedEntries(bytes: Uint8Array, wanted: ReadonlySet<string>): Promise<{ names: Set<string>; texts: Map<string, string> }>;
}
interface Parser {
  parse(request: { bytes: Uint8Array; mediaType: string; name: string }): Promise<unknown>;
}
interface Scripts {
  extractZip(path: string, folder: string, wanted: (name: string) => boolean): Promise<number>;
}

describeModels('files and names', () => {
  let api: TestApi;
  let owner: Registered;
  let mine: DocumentsOf;
  let canary: CanaryHttp;
  let internet: SimulatedInternet;
  /** Beside DATA_DIR: must stay as it is. */
  let sentinel: string;
  const secret = randomBytes(16).toString('hex');

  beforeAll(async () => {
    canary = await CanaryHttp.start();
    internet = new SimulatedInternet(canary);
    api = await startApi({ database: 'embedded', env: { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '100000' } });
    internet.serve(api.app);
    owner = await api.register();
    mine = new DocumentsOf(api, owner);
    sentinel = join(api.directory.path, '..', `sentinel-${secret}`);
    writeFileSync(sentinel, secret);
  });
  afterEach(() => {
    expect(readFileSync(sentinel, 'utf8')).toBe(secret);
    expect(strangers()).toEqual([]);
    internet.forget();
    canary.forget();
  });
  afterAll(async () => {
    rmSync(sentinel, { force: true });
    await api?.close();
    await canary?.close();
  });

  /** Files of the store whose place is not one that the server makes. */
  function strangers(): string[] {
    const root = join(api.directory.path, 'blobs');
    if (!existsSync(root)) return [];
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .filter((path) => !KEY.test(path) && !path.startsWith('.incoming'));
  }

  /** A form as its sender writes it, byte by byte. */
  async function uploaded(disposition: string, content = `Tides ${randomBytes(8).toString('hex')}.`): Promise<ApiAnswer> {
    const body = `--x\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: text/plain\r\n\r\n${content}\r\n--x--\r\n`;
    const response = await fetch(`${api.url}/api/v1/documents`, {
      method: 'POST',
      headers: { authorization: `Bearer ${owner.accessToken}`, 'content-type': 'multipart/form-data; boundary=x' },
      body,
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) as ApiAnswer['json'] };
  }

  describe('B01 the name of an upload is a name, whatever it says', () => {
    it.each([
      ['filename="../../x.txt"', 'x.txt'],
      ['filename="..\\\\..\\\\x.txt"', 'x.txt'],
      ['filename="/etc/cron.d/x"', 'x'],
      ['filename="C:\\\\Windows\\\\x.txt"', 'x.txt'],
      [`filename*=UTF-8''..%2f..%2fx.txt`, 'x.txt'],
      [`filename*=UTF-8''..%5c..%5cx.txt`, 'x.txt'],
      ['filename="%2e%2e%2fx.txt"', '%2e%2e%2fx.txt'],
      ['filename=".."', 'document'],
      ['filename="."', 'document'],
      ['filename="a/.."', 'document'],
      ['filename="....//x.txt"', 'x.txt'],
      ['filename="..;/x.txt"', 'x.txt'],
    ])('%s', async (disposition, name) => {
      const answer = await uploaded(`name="file"; ${disposition}`);
      const { id } = mine.accepted(answer);
      const document = (answer.json as unknown as { document: { name: string } }).document;
      expect(document.name).toBe(name);
      const blobs = await api.app.get(Blobs, { strict: false }).keys(`documents/${id}/`);
      expect(blobs).toEqual([`documents/${id}/1`]);
    });

    it('and one with a NUL is refused', async () => {
      const answer = await uploaded('name="file"; filename="x.txt\0.png"');
      expect([answer.status, answer.json.code]).toEqual([422, 'unprocessable']);
    });

    it('in a download it is no path either', async () => {
      const text = `Winds ${randomBytes(8).toString('hex')}.`;
      const document = await mine.ready(await mine.add({ name: '../../etc/..\\cron', text }));
      const { headers } = await api.get(`/api/v1/documents/${document.id}/content`, owner.accessToken);
      const disposition = decodeURIComponent(headers.get('content-disposition') ?? '');
      expect(disposition).toMatch(/^attachment; /u);
      expect(disposition).not.toMatch(/[/\\]/u);
    });

    it.each([
      'attachment; filename="../../x.pdf"',
      `attachment; filename*=UTF-8''..%2f..%2fx.pdf`,
      'attachment; filename="\\\\\\\\host\\\\share\\\\x.pdf"',
    ])('of a fetched document: %s', async (header) => {
      internet.names['public.test'] = [['93.184.216.34']];
      canary.answer = (_request, response) =>
        void response.writeHead(200, { 'content-disposition': header }).end(`Stars ${randomBytes(8).toString('hex')}.`);
      const document = await mine.ready(await mine.add({ url: 'http://public.test/a' }));
      expect(document.name).toBe('x.pdf');
    });

    it.each([
      ['http://public.test/..%2f..%2fx.txt', 'x.txt'],
      ['http://public.test/a/%2e%2e%5cx.txt', 'x.txt'],
    ])('of the address %s', async (url, name) => {
      internet.names['public.test'] = [['93.184.216.34']];
      canary.answer = (_request, response) => void response.end(`Rocks ${randomBytes(8).toString('hex')}.`);
      expect((await mine.ready(await mine.add({ url }))).name).toBe(name);
    });
  });

  describe('B05 B07 B20 names and ids are no paths', () => {
    const ODD = ['../x', '..', '.', '/etc', 'a/b', 'a\\b', '%2e%2e%2fx', 'a\0b', 'C:x', '~', '$HOME', '..;/x', 'A', `a${'b'.repeat(63)}`];
    it.each(ODD)('a collection %j is not made', async (name) => {
      const { status, json } = await api.post('/api/v1/vectors/collections', { name }, owner.accessToken);
      expect([status, json.code]).toEqual([
        name.includes('\0') ? expect.any(Number) : 400,
        expect.stringMatching(/^(?:invalid|unprocessable)$/u),
      ]);
    });

    it.each(['..%2f..%2fetc%2fpasswd', '%2e%2e%2f%2e%2e', '..%5c..', '%00', '....%2f%2f', '%252e%252e%252f', '-', "'"])(
      'B04 an id %s reaches no other route and no file',
      async (id) => {
        const routes = [
          '/api/v1/documents/X',
          '/api/v1/documents/X/content',
          '/api/v1/jobs/X',
          '/api/v1/agents/X',
          '/api/v1/agents/runs/X',
        ];
        const more = ['/api/v1/vectors/collections/X', '/api/v1/chat/sessions/X', '/api/v1/models/X', '/docs/assets/X', '/docs/errors/X'];
        for (const route of [...routes, ...more]) {
          for (const method of ['GET', 'DELETE']) {
            const { status, text } = await api.request(route.replace('X', id), { method, token: owner.accessToken });
            expect([method, route, [404, 405, id === '%00' ? 422 : 404].includes(status) || status]).toEqual([method, route, true]);
            expect(text).not.toMatch(/root:|ENOENT|EISDIR|\/work\/|\/tmp\/|node_modules/u);
          }
        }
      },
    );

    it('B20 where a collection lies is said by the server', async () => {
      const other = await api.register('other@example.org');
      for (const token of [owner.accessToken, other.accessToken]) {
        expect((await api.post('/api/v1/vectors/collections', { name: 'same', dimensions: 3 }, token)).status).toBe(201);
        const points = [{ id: 'p', vector: [1, 1, 0], metadata: { of: token === other.accessToken ? 'other' : 'owner' } }];
        expect(
          (await api.request('/api/v1/vectors/collections/same/points', { method: 'PUT', body: { points }, token })).status,
        ).toBeLessThan(300);
      }
      for (const field of ['persist_directory', 'path', 'physical_name', 'namespace', 'collection_name', 'id', 'workspace_id']) {
        const { status } = await api.post('/api/v1/vectors/collections', { name: 'planted', [field]: 'same' }, other.accessToken);
        expect([field, status]).toEqual([field, 400]);
      }
      const database = api.app.get(PostgresClient, { strict: false });
      const spaces = await database.query<{ name: string }>(sql`SELECT physical_name AS name FROM spaces`);
      for (const { name } of spaces) expect(name).not.toMatch(/same|planted|other/u);
      for (const [token, of] of [
        [owner.accessToken, 'owner'],
        [other.accessToken, 'other'],
      ] as const)
        expect((await api.get('/api/v1/vectors/collections/same/points/p', token)).json).toMatchObject({ id: 'p', metadata: { of } });
    });

    it('B07 B13 no route takes a path, a file name or a snapshot', async () => {
      const routes = api.app.get(RouteTable).routes.map(({ method, url }) => `${method} ${url}`);
      expect(routes.length).toBeGreaterThan(60);
      expect(routes.filter((route) => /snapshot|backup|restore|\bfiles?\b|path|folder|move|rename|cache|static|\*/iu.test(route))).toEqual(
        [],
      );
    });

    it('B02 B05 the one route with a file name knows its files by name', async () => {
      expect((await api.get('/docs/assets/swagger-ui.css')).status).toBe(200);
      for (const name of [
        '..%2fpackage.json',
        '%2e%2e/package.json',
        'package.json',
        'swagger-ui.css.map',
        '__proto__',
        'constructor',
        'swagger-ui.css%00.png',
      ]) {
        const { status } = await api.get(`/docs/assets/${name}`);
        expect([name, [404, 422].includes(status)]).toEqual([name, true]);
      }
    });

    it('B01 the store takes no key but its own', async () => {
      const blobs = api.app.get(Blobs, { strict: false });
      const keys = [
        'documents/../../x/1',
        `documents/${NOBODY}/../1`,
        '/etc/passwd',
        `documents/${NOBODY}/1/..`,
        `../documents/${NOBODY}/1`,
        `documents/${NOBODY}/x`,
      ];
      for (const key of keys) {
        await expect(blobs.put(key, Buffer.from('x'))).rejects.toThrow('never makes');
        await expect(blobs.get(key)).rejects.toThrow('never makes');
        await expect(blobs.delete(key)).rejects.toThrow('never makes');
      }
    });
  });

  describe('B10 a file is what the form holds', () => {
    it.each([
      { files: { f: { filepath: '/etc/passwd', originalFilename: 'x' } } },
      { file: '/etc/passwd' },
      { file: { path: '/etc/passwd' } },
      { name: 'x', text: 'y', file: { filepath: '/etc/passwd' } },
      { name: 'x', path: '/etc/passwd' },
    ])('%j', async (body) => {
      const { status, json } = await api.post('/api/v1/documents', body, owner.accessToken);
      expect([status, json.code]).toEqual([400, 'invalid']);
    });

    it('and nothing else is one', async () => {
      const kinds = ['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'application/octet-stream'];
      for (const type of kinds) {
        const { status } = await api.request('/api/v1/documents', {
          method: 'POST',
          token: owner.accessToken,
          headers: { 'content-type': type },
        });
        expect([type, [400, 415].includes(status)]).toEqual([type, true]);
        const sent = await fetch(`${api.url}/api/v1/documents`, {
          method: 'POST',
          headers: { authorization: `Bearer ${owner.accessToken}`, 'content-type': type },
          body: '{"files":{"f":{"filepath":"/etc/passwd"}}}',
        });
        expect([type, sent.status]).toEqual([type, 415]);
      }
    });
  });

  it('B16 B17 what is there and what is not are told alike', async () => {
    const told = async (url: string): Promise<unknown> => {
      const { status, json } = await api.post('/api/v1/documents', { url }, owner.accessToken);
      const { request_id: _, ...rest } = json as Record<string, unknown>;
      return [status, rest];
    };
    const first = await told('file:///etc/passwd');
    for (const path of [sentinel, '/nowhere', '/dev/random', '/proc/self/fd/0', '/proc/self/environ', '.']) {
      expect(await told(`file://${path}`)).toEqual(first);
      const { status, text } = await api.post('/api/v1/models', { name: path, accept_license: true }, owner.accessToken);
      expect([path, status]).toEqual([path, 400]);
      expect(text).not.toContain('ENOENT');
    }
    expect(statSync(sentinel).size).toBe(secret.length);
  });

  describe('B11, K07 an archive', () => {
    const document = (words: string): Buffer =>
      Buffer.from(
        `<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>${words}</w:t></w:r></w:p></w:body></w:document>`,
      );
    const TYPES =
      '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>';
    const RELATIONS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">';
    const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
    const whole = (more: { name: string; bytes: Buffer }[] = [], words = 'The tide turns at six.'): Buffer =>
      zip([
        { name: '[Content_Types].xml', bytes: Buffer.from(TYPES) },
        {
          name: '_rels/.rels',
          bytes: Buffer.from(
            `${RELATIONS}<Relationship Id="r1" Type="${OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>`,
          ),
        },
        { name: 'word/document.xml', bytes: document(words) },
        ...more,
      ]);
    const renamed = (bytes: Buffer, from: string, to: string): Buffer => {
      const changed = Buffer.from(bytes);
      // The first place is the local header, the last one the central directory.
      changed.write(to, changed.indexOf(from), 'latin1');
      return changed;
    };
    const evil = { bytes: Buffer.from('evil') };
    const ARCHIVES: [string, () => Buffer][] = [
      ['a name that climbs', () => whole([{ name: '../../evil.xml', ...evil }])],
      ['an absolute name', () => whole([{ name: '/etc/cron.d/evil.xml', ...evil }])],
      ['a name on a drive', () => whole([{ name: 'C:/evil.xml', ...evil }])],
      ['a name with backslashes that climbs', () => whole([{ name: '..\\..\\evil.xml', ...evil }])],
      ['the same name twice', () => whole([{ name: 'word/document.xml', bytes: document('Another text.') }])],
      ['two names for one part', () => renamed(whole([{ name: 'word/notes.xml', ...evil }]), 'word/notes.xml', 'word/other.xml')],
      ['too many parts', () => whole(Array.from({ length: 5_100 }, (_, index) => ({ name: `p/${index}`, bytes: Buffer.alloc(1) })))],
      ['a part of nothing but zeros', () => whole([{ name: 'word/zeros.bin', bytes: Buffer.alloc(30 * 1_048_576) }])],
      ['an entity of its own', () => zip([{ name: 'word/document.xml', bytes: Buffer.from('<!DOCTYPE a [<!ENTITY b "c">]><a/>') }])],
    ];

    it.each(ARCHIVES)('with %s is refused, and nothing of it is kept', async (_, make) => {
      const { id, jobId } = mine.accepted(await mine.upload(make(), 'tides.docx'));
      const last = (await mine.events(jobId)).at(-1);
      expect([last?.event, ['unprocessable', 'too_large'].includes(String(last?.data.code))]).toEqual(['error', true]);
      expect(await api.app.get(Blobs, { strict: false }).keys(`texts/${id}/`)).toEqual([]);
      expect(existsSync(join(api.directory.path, '..', 'evil.xml'))).toBe(false);
    });

    it.each(ARCHIVES.slice(0, 8))('with %s is refused by its first reader', async (_, make) => {
      const { checkedEntries } = innerPart<Archive>('libs/backing/parsers/formats/archive');
      await expect(checkedEntries(make(), new Set(['word/document.xml']))).rejects.toMatchObject({ name: 'ParseFault' });
    });

    it('with an entity of its own is refused before its text is read', async () => {
      const { parse } = innerPart<Parser>('libs/backing/parsers/formats/docx');
      const bytes = zip([{ name: 'word/document.xml', bytes: Buffer.from('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>') }]);
      await expect(parse({ bytes, mediaType: DOCX_TYPE, name: 'x' })).rejects.toThrow('declares entities');
    });

    it('that is sound is read', async () => {
      const { texts } = await innerPart<Archive>('libs/backing/parsers/formats/archive').checkedEntries(
        whole(),
        new Set(['word/document.xml']),
      );
      expect(texts.get('word/document.xml')).toContain('The tide turns at six.');
      expect((await mine.ready(await mine.upload(whole([], 'The moon pulls the sea.'), 'moon.docx'))).media_type).toBe(DOCX_TYPE);
    });

    it('of a model is unpacked into its folder only', async () => {
      const { extractZip } = await loadScript<Scripts>('files/zip.mjs');
      const folder = join(api.directory.path, 'unpacked');
      mkdirSync(folder);
      const absolute = join(tmpdir(), `evil-${randomUUID()}`);
      const names = ['../evil', '../../evil', absolute, '../unpacked-beside/evil'];
      for (const name of names) {
        const path = join(folder, 'archive.zip');
        writeFileSync(path, zip([{ name, ...evil }]));
        await expect(extractZip(path, join(folder, 'out'), () => true)).rejects.toThrow('outside its folder');
      }
      expect(readdirSync(folder)).toEqual(['archive.zip']);
      expect(existsSync(absolute)).toBe(false);
    });

    it('A19 with links to pictures and templates elsewhere is read, and nobody is asked', async () => {
      const link = (id: string, type: string, target: string) =>
        `<Relationship Id="${id}" Type="${OFFICE}/${type}" Target="${target}" TargetMode="External"/>`;
      const relations = `${RELATIONS}${link('i', 'image', `${canary.url}/a.png`)}${link('t', 'attachedTemplate', `${canary.url}/a.dotm`)}${link('f', 'image', `file://${sentinel}`)}${link('s', 'subDocument', `${canary.url}/s.docx`)}</Relationships>`;
      const words = `The ${secret.slice(0, 6)} lamp.</w:t></w:r><w:r><w:drawing xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="${OFFICE}"><a:blip r:link="i"/><a:blip r:link="f"/></w:drawing><w:t>`;
      const bytes = whole([{ name: 'word/_rels/document.xml.rels', bytes: Buffer.from(relations) }], words);
      const document = await mine.ready(await mine.upload(bytes, 'linked.docx'));
      const { text } = await api.get(`/api/v1/documents/${document.id}/text`, owner.accessToken);
      expect(text).toContain('lamp');
      expect(text).not.toContain(secret);
      expect(canary.connections).toBe(0);
    });
  });

  it.each([
    [
      'page.html',
      (url: string) =>
        `<!doctype html><html><head><link rel="stylesheet" href="${url}/a.css"><script src="${url}/a.js"></script><base href="${url}/"><meta http-equiv="refresh" content="0;url=${url}"></head><body><h1>Buoys</h1><img src="${url}/i.png"><iframe src="${url}"></iframe><object data="${url}"></object><svg><use href="${url}/x.svg#a"/><image href="${url}"/></svg><p>The buoys are red.</p></body></html>`,
    ],
    [
      'note.md',
      (url: string) =>
        `# Anchors\n\n![a](${url}/i.png)\n\n![b][c]\n\n[c]: ${url}/r.png\n\n<img src="${url}/h.png">\n\nThe anchors are heavy.`,
    ],
    ['data.json', (url: string) => JSON.stringify({ $schema: `${url}/s.json`, $ref: `${url}/r.json`, words: 'The ropes are long.' })],
    ['list.csv', (url: string) => `name,link\n"=HYPERLINK(""${url}"")",${url}\n=IMPORTXML("${url}"),x\nsails,white\n`],
    [
      'page.svg.html',
      (url: string) =>
        `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "${url}/e">]><svg xmlns="http://www.w3.org/2000/svg"><text>&x; The masts are high.</text></svg>`,
    ],
  ])('A19 the links of %s are words', async (name, make) => {
    await mine.ready(await mine.upload(make(canary.url), name));
    expect(canary.connections).toBe(0);
  });

  it('A19 a PDF that calls for files and addresses is read, and nobody is asked', async () => {
    const pdf = readFileSync(join(__dirname, '..', '..', 'fixtures', 'formats', 'ferry-timetable.pdf'));
    const action = `<</Type/Catalog/OpenAction<</S/URI/URI(${canary.url})>>/AA<</O<</S/JavaScript/JS(app.launchURL\\("${canary.url}"\\))>>>>`;
    const changed = Buffer.from(pdf.toString('latin1').replace('<</Type/Catalog', action).replace('<< /Type /Catalog', action), 'latin1');
    const { jobId } = mine.accepted(await mine.upload(changed, 'ferry.pdf'));
    expect(['done', 'error']).toContain((await mine.events(jobId)).at(-1)?.event);
    expect(canary.connections).toBe(0);
  });

  it('B19 a pickle, or an index of another store, is no document', async () => {
    const pickle = Buffer.from('\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.', 'latin1');
    const index = Buffer.concat([Buffer.from('IxF2'), randomBytes(400)]);
    for (const [bytes, name] of [
      [pickle, 'index.pkl'],
      [index, 'index.faiss'],
    ] as const) {
      const { status, json } = await mine.upload(bytes, name);
      expect([name, status, json.code]).toEqual([name, 415, 'unsupported_media_type']);
    }
  });
});
