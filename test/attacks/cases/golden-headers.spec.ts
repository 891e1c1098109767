import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MetricsServer } from '@backing/prometheus';
import { startApi, type TestApi } from '../../support/api';
import { DocumentsOf } from '../../support/documents';
import { exchange, type RawAnswer } from '../raw/raw-exchange';

type Golden = Record<string, { status: number; headers: Record<string, string> }>;
const GOLDEN = JSON.parse(readFileSync(join(__dirname, '..', 'golden-headers.json'), 'utf8')) as Golden;
const ORIGIN = 'https://console.example.org';
const ID = '0197a5b0-0000-7000-8000-000000000000';

/** What differs from answer to answer, by the form that it must have. */
const CHANGING: Record<string, RegExp> = {
  date: /^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  'x-request-id': /^[0-9a-f-]{36}$/,
  'content-length': /^\d+$/,
  etag: /^(?:W\/)?"[^"]+"$/,
  location: /^\/api\/v1\/[a-z/]+\/[0-9a-f-]{36}$/,
  'x-ratelimit-remaining': /^\d+$/,
  'x-ratelimit-reset': /^\d+$/,
  'retry-after': /^\d+$/,
};

describe('Q01, H07 the headers of every kind of answer', () => {
  let api: TestApi;
  let token: string;
  let document: string;
  let job: string;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '1000', CORS_ORIGINS: ORIGIN } });
    const person = await api.register();
    token = person.accessToken;
    const documents = new DocumentsOf(api, person);
    ({ id: document, jobId: job } = documents.accepted(await documents.upload('<script>alert(1)</script>', 'page.html')));
    await documents.events(job);
  });
  afterAll(() => api?.close());

  /** Sends one request on a connection of its own. */
  async function ask(line: string, { headers = {}, body = '', bearer = token, url = api.url }: Asked = {}): Promise<RawAnswer> {
    const all: Record<string, string> = {
      host: 'localhost',
      connection: 'close',
      ...(bearer === '' ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === '' ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
      ...headers,
    };
    const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    const { answers } = await exchange(url, `${line} HTTP/1.1\r\n${head.join('')}\r\n${body}`, line.startsWith('HEAD') ? [0] : []);
    return answers[0] as RawAnswer;
  }

  interface Asked {
    headers?: Record<string, string>;
    body?: string;
    bearer?: string;
    url?: string;
  }

  function seen({ status, headers }: RawAnswer): Golden[string] {
    const masked = Object.entries(headers).map(([name, value]): [string, string] => [name, CHANGING[name]?.test(value) ? '*' : value]);
    return { status, headers: Object.fromEntries(masked.sort(([a], [b]) => (a < b ? -1 : 1))) };
  }

  const metrics = (): string => `http://127.0.0.1:${api.app.get(MetricsServer, { strict: false }).port}`;
  const session = '{"title":"x"}';

  const kinds: Record<string, () => Promise<RawAnswer>> = {
    'JSON, 200': () => ask('GET /api/v1/auth/me'),
    'JSON without a token, 200': () => ask('GET /health', { bearer: '' }),
    'created, 201': () => ask('POST /api/v1/chat/sessions', { body: session }),
    'no content, 204': async () => ask(`DELETE ${(await ask('POST /api/v1/chat/sessions', { body: session })).headers.location}`),
    'HEAD, 200': () => ask('HEAD /api/v1/auth/me'),
    'OPTIONS that is no preflight, 405': () => ask('OPTIONS /api/v1/auth/me'),
    'events, 200': () => ask(`GET /api/v1/jobs/${job}/events`),
    'a download, 200': () => ask(`GET /api/v1/documents/${document}/content`),
    'invalid, 400': () => ask('POST /api/v1/chat/sessions', { body: '{' }),
    'an address that cannot be decoded, 400': () => ask('GET /api/v1/jobs/%zz'),
    'a foreign Host, 400': () => ask('GET /health', { headers: { host: 'evil.example' } }),
    'unauthenticated, 401': () => ask('GET /api/v1/auth/me', { bearer: '' }),
    'forbidden, 403': async () => ask('GET /api/v1/jobs', { bearer: await api.key(token, ['chat']) }),
    'not found, 404': () => ask(`GET /api/v1/jobs/${ID}`),
    'an unknown path, 404': () => ask('GET /nowhere'),
    'another method, 405': () => ask('PUT /api/v1/auth/me'),
    'conflict, 409': async () => {
      const body = JSON.stringify({ name: 'twice', dimensions: 3 });
      await ask('POST /api/v1/vectors/collections', { body });
      return ask('POST /api/v1/vectors/collections', { body });
    },
    'too large, 413': () => ask('POST /api/v1/chat/sessions', { headers: { 'content-length': '2000000' } }),
    'another type, 415': () => ask('POST /api/v1/chat/sessions', { body: 'x', headers: { 'content-type': 'text/plain' } }),
    'unprocessable, 422': () => ask('POST /api/v1/chat/sessions', { body: '{"__proto__":1}' }),
    'too many, 429': async () => {
      const made = await api.post('/api/v1/auth/keys', { name: 'one', scopes: ['chat'], limits: { requests_per_minute: 1 } }, token);
      const bearer = String(made.json.secret);
      await ask('GET /api/v1/chat/sessions', { bearer });
      return ask('GET /api/v1/chat/sessions', { bearer });
    },
    'an error of /v1, 401': () => ask('GET /v1/models', { bearer: '' }),
    'JSON of /v1, 200': () => ask('GET /v1/models'),
    'the parser, 400': async () => (await exchange(api.url, 'NONSENSE\r\n\r\n')).answers[0] as RawAnswer,
    'the parser, 431': async () => (await exchange(api.url, `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`)).answers[0] as RawAnswer,
    'a preflight of ours, 204': () => preflight(ORIGIN),
    'a preflight of another origin, 405': () => preflight('https://evil.example'),
    'JSON for our origin, 200': () => ask('GET /api/v1/auth/me', { headers: { origin: ORIGIN } }),
    'JSON for another origin, 200': () => ask('GET /api/v1/auth/me', { headers: { origin: 'https://evil.example' } }),
    'the page of the documentation, 200': () => ask('GET /docs', { bearer: '' }),
    'a script of the documentation, 200': () => ask('GET /docs/assets/start.js', { bearer: '' }),
    'the OpenAPI document, 200': () => ask('GET /docs/openapi.json', { bearer: '' }),
    'the explanation of an error, 200': () => ask('GET /docs/errors/invalid', { bearer: '' }),
    'metrics, 200': () => ask('GET /metrics', { url: metrics(), bearer: '' }),
    'another path of the metrics, 404': () => ask('GET /', { url: metrics(), bearer: '' }),
    'a foreign Host of the metrics, 400': () => ask('GET /metrics', { url: metrics(), bearer: '', headers: { host: 'evil.example' } }),
  };

  function preflight(origin: string): Promise<RawAnswer> {
    const headers = { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' };
    return ask('OPTIONS /api/v1/auth/me', { bearer: '', headers });
  }

  it.each(Object.keys(kinds))('%s', async (kind) => {
    const answer = (await kinds[kind]?.()) as RawAnswer;
    expect({ [kind]: seen(answer) }).toEqual({ [kind]: GOLDEN[kind] });
    // A header that is there twice means two things.
    expect(answer.names.filter((name, at) => answer.names.indexOf(name) !== at)).toEqual([]);
  });

  it('are all described, and none of them says what the server is', () => {
    expect(Object.keys(GOLDEN).sort()).toEqual(Object.keys(kinds).sort());
    for (const { headers } of Object.values(GOLDEN))
      for (const name of ['server', 'x-powered-by', 'set-cookie', 'access-control-allow-credentials', 'via'])
        expect(headers[name]).toBeUndefined();
  });

  it('demand TLS when the server has a name with https, and only then', async () => {
    expect((await api.get('/livez')).headers.get('strict-transport-security')).toBeNull();
    await api.restart({ PUBLIC_URL: 'https://ai.example.org' });
    for (const path of ['/livez', '/nowhere', '/docs'])
      expect((await api.get(path)).headers.get('strict-transport-security')).toBe('max-age=63072000; includeSubDomains');
    const [parser] = (await exchange(api.url, 'NONSENSE\r\n\r\n')).answers;
    expect(parser?.headers['strict-transport-security']).toBe('max-age=63072000; includeSubDomains');
  });
});
