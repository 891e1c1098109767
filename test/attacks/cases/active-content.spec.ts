import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RouteTable } from '../../../apps/api/src/http/route-table';
import { startApi, type TestApi } from '../../support/api';
import { openTeam, type Team } from '../kit';
import { pathTo } from '../matrix/path-ids';
import { productionPackages, sourcesWith } from '../network/sources';

const ROOT = join(__dirname, '..', '..', '..');
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
const PASSIVE = /^(?:text\/(?:plain|csv|markdown)|application\/(?:octet-stream|json|pdf))(?:; charset=[\w-]+)?$/;
const SCRIPT = '<script>document.title="owned"</script>';
const MARKUPS = [
  SCRIPT,
  '<img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  'javascript:alert(1)',
  '{{constructor.constructor("alert(1)")()}}',
];
/** Routes whose success is not JSON. */
const OTHERS = ['/api/v1/documents/:id/content', '/api/v1/jobs/:id/events', '/docs', '/docs/assets/:name', '/docs/errors/:code'];

describe('content that a browser would run', () => {
  const models = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));
  let api: TestApi;
  let team: Team;
  let token: string;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { MODELS_DIR: models, RATE_LIMIT_PER_MINUTE: '10000000' } });
    team = await openTeam(api);
    token = team.actors.owner.token ?? '';
  });
  afterAll(async () => {
    await api?.close();
    rmSync(models, { recursive: true, force: true });
  });

  async function uploaded(content: string, name: string, type: string): Promise<string> {
    const form = new FormData();
    form.append('file', new Blob([`${content}${Math.random()}`], { type }), name);
    const answer = await api.post('/api/v1/documents', form, token);
    expect(answer.status).toBe(202);
    return (answer.json as unknown as { document: { id: string } }).document.id;
  }

  describe('H07 an upload', () => {
    it.each([
      ['page.html', 'text/html', `<!doctype html><html><body>${SCRIPT}</body></html>`],
      ['page.xhtml', 'application/xhtml+xml', `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">${SCRIPT}</html>`],
      ['picture.svg', 'image/svg+xml', `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">${SCRIPT}</svg>`],
      ['sound.mp3', 'audio/mpeg', `TAG ${SCRIPT}`],
      ['style.css', 'text/css', 'body{background:url(https://evil.example)}'],
      ['code.js', 'text/javascript', 'alert(1)'],
      ['page', 'text/html', `<html>${SCRIPT}</html>`],
      ['feed.xml', 'text/xml', `<?xml-stylesheet href="javascript:alert(1)"?><a>${SCRIPT}</a>`],
      ['file.hta', 'application/hta', SCRIPT],
      ['a"; filename="b.html', 'text/html', `<html>${SCRIPT}</html>`],
    ])('%s comes back as an attachment of a type that nothing runs', async (name, type, content) => {
      const path = `/api/v1/documents/${await uploaded(content, name, type)}/content`;
      const tricks = [
        '',
        '?mime=text/html',
        '?response-content-type=text/html&response-content-disposition=inline',
        '?inline=1&download=0',
      ];
      for (const query of tricks)
        for (const method of ['GET', 'HEAD']) {
          const { status, headers } = await api.request(path + query, {
            method,
            token,
            headers: { accept: 'text/html', range: 'bytes=0-' },
          });
          expect(status).toBe(200);
          expect(headers.get('content-type')).toMatch(PASSIVE);
          expect(headers.get('content-disposition')).toMatch(/^attachment; filename="[^"\\\r\n]*"; filename\*=UTF-8''[\w.%~!$&+^`|-]*$/);
          expect(headers.get('x-content-type-options')).toBe('nosniff');
          expect(headers.get('content-security-policy')).toContain('sandbox');
          expect(headers.get('content-security-policy')).toContain("default-src 'none'");
        }
    });
  });

  it.each(MARKUPS)('H08 %s as a name stays a text in JSON', async (markup) => {
    const made: [string, object, string][] = [
      ['/api/v1/chat/sessions', { title: markup, system: markup }, 'title'],
      ['/api/v1/workspaces', { name: markup }, 'name'],
      ['/api/v1/auth/keys', { name: markup, scopes: ['chat'] }, 'name'],
    ];
    for (const [path, body, field] of made) {
      const answer = await api.post(path, body, token);
      expect([path, answer.status, answer.json[field]]).toEqual([path, 201, markup]);
      expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    }
    const document = await api.post('/api/v1/documents', { name: markup, text: `A text of ${markup}.` }, token);
    expect([document.status, document.json]).toMatchObject([202, { document: { name: expect.any(String) } }]);
    // What is refused does not repeat it as anything but JSON either.
    const refused = await api.post('/api/v1/chat/sessions', { [markup]: markup }, token);
    expect([refused.status, refused.headers.get('content-type')]).toEqual([400, 'application/problem+json; charset=utf-8']);
  });

  it('H08 every route answers JSON that no browser takes for a page', async () => {
    const routes = api.app.get(RouteTable).routes.filter(({ method, url }) => method === 'GET' && !OTHERS.includes(url));
    expect(routes.length).toBeGreaterThan(40);
    for (const { url } of routes) {
      const { headers } = await api.request(pathTo(url, team.victim), { token, headers: { accept: 'text/html' } });
      expect([url, headers.get('content-type')]).toEqual([url, expect.stringMatching(/^application\/(?:problem\+)?json; charset=utf-8$/)]);
      expect([url, headers.get('x-content-type-options')]).toEqual([url, 'nosniff']);
    }
  });

  it('H05 there are no pictures of people, and nothing that draws', () => {
    const { routes } = api.app.get(RouteTable);
    expect(routes.filter(({ url }) => /avatar|picture|image|photo|icon|logo$/i.test(url)).map(({ url }) => url)).toEqual([]);
    expect(sourcesWith(/image\/(?:svg|gif|jpeg|webp)/u)).toEqual([]);
    expect(productionPackages().filter((name) => /^(?:sharp|canvas|jimp|svgo|gm)$/.test(name))).toEqual([]);
  });

  it('H11 the reader of PDF files is beyond the release that ran fonts as code, and nothing of it evaluates', () => {
    const reader = readFileSync(join(ROOT, 'node_modules', 'unpdf', 'dist', 'pdfjs.mjs'), 'utf8');
    const [, major = '0'] = /apiVersion\s*[:=]\s*["'`](\d+)\.\d+\.\d+["'`]/.exec(reader) ?? [];
    expect(Number(major)).toBeGreaterThanOrEqual(5);
    expect(reader).not.toMatch(/new Function\(|\beval\(/);
    expect(sourcesWith(/isEvalSupported|new Function\(|(?<![\w.])eval\(/u)).toEqual([]);
  });

  describe('H08 the page of the documentation', () => {
    let canary: Server;
    let hits: string[];

    beforeAll(async () => {
      hits = [];
      canary = createServer((request, response) => {
        hits.push(request.url ?? '');
        response.setHeader('access-control-allow-origin', '*');
        response.end(JSON.stringify({ openapi: '3.0.0', info: { title: SCRIPT, version: '1' }, paths: {} }));
      });
      await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve));
    });
    afterAll(() => new Promise((resolve) => canary.close(resolve)));

    it('repeats nothing of its address', async () => {
      for (const query of ['?url=evil', '?configUrl=evil', '?x=<script>alert(1)</script>', '?oauth2RedirectUrl=evil']) {
        const { status, text } = await api.get(`/docs${query}`);
        expect([status, text]).toEqual([200, (await api.get('/docs')).text]);
      }
    });

    const inBrowser = CHROMIUM === undefined && process.env.REQUIRE_SERVICES !== '1' ? it.skip : it;
    inBrowser(
      `runs nothing and asks nobody that its address names, in a browser${CHROMIUM === undefined ? ': no Chromium here' : ''}`,
      async () => {
        expect(CHROMIUM).toBeDefined();
        const evil = `http://127.0.0.1:${(canary.address() as AddressInfo).port}`;
        const profile = mkdtempSync(join(tmpdir(), 'sutazai-browser-'));
        try {
          const query = `url=${evil}/a.json&configUrl=${evil}/b.json&spec=%7B%7D&layout=${encodeURIComponent(SCRIPT)}#/<img src=x onerror="document.title='owned'">`;
          const { stdout } = await promisify(execFile)(
            CHROMIUM ?? '',
            [
              '--headless=new',
              '--no-sandbox',
              '--disable-gpu',
              '--disable-background-networking',
              '--disable-component-update',
              '--no-first-run',
              '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
              `--user-data-dir=${profile}`,
              '--virtual-time-budget=10000',
              '--dump-dom',
              `${api.url}/docs?${query}`,
            ],
            { timeout: 50_000, maxBuffer: 64 * 1_048_576 },
          );
          // The page did run, on the document of this server.
          expect(stdout).toContain('swagger-ui');
          expect(stdout).toContain('/api/v1/auth/login');
          expect(stdout).not.toContain('<title>owned');
          expect(hits).toEqual([]);
        } finally {
          rmSync(profile, { recursive: true, force: true });
        }
      },
      60_000,
    );
  });
});
