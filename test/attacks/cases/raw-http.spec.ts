import { BodyDeadline } from '../../../apps/api/src/http/body-deadline';
import { startApi, type TestApi } from '../../support/api';
import { exchange, type Exchange, type RawAnswer } from '../raw/raw-exchange';

const LOGIN = 'POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
/** What a smuggler wants to be taken for a request of its own; it would be answered with 404. */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
const LAST = 'GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
const get = (more = '', path = '/livez'): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const chunked = (encoding: string): string => `${LOGIN}${encoding}\r\n\r\n2\r\n{}\r\n0\r\n\r\n${SMUGGLED}`;

describe('bytes on a raw connection', () => {
  let api: TestApi;
  let token: string;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000', MAX_UPLOAD_BYTES: '1000000' } });
    token = (await api.register()).accessToken;
  });
  afterAll(() => api?.close());
  // Whatever was sent before: this is still the same server, and it answers at once.
  afterEach(async () => expect((await api.get('/livez')).status).toBe(200));

  const send = (bytes: string | readonly string[]): Promise<Exchange> => exchange(api.url, bytes);
  const statuses = ({ answers, closed }: Exchange): (number | string)[] => [
    ...answers.map(({ status }) => status),
    ...(closed ? [] : ['still open']),
  ];

  /** One problem, then the end of the connection. */
  function expectProblem(answer: RawAnswer | undefined, status: number): void {
    expect(answer?.headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      connection: 'close',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-length': String(Buffer.byteLength(answer?.body ?? '')),
    });
    const problem = JSON.parse(answer?.body ?? '') as Record<string, unknown>;
    expect(problem).toMatchObject({ status, title: expect.any(String), detail: expect.any(String), code: expect.any(String) });
    expect(problem.request_id).toBe(answer?.headers['x-request-id']);
    expect(answer?.body).not.toMatch(/HPE_|Parse Error|llhttp|node:|\.[jt]s:/);
  }

  describe('K10 that two servers could read differently', () => {
    it.each([
      ['Content-Length and Transfer-Encoding', `${LOGIN}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
      ['Transfer-Encoding and Content-Length', `${LOGIN}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${SMUGGLED}`],
      ['two lengths', `${LOGIN}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}${SMUGGLED}`],
      ['the same length twice', `${LOGIN}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}${SMUGGLED}`],
      ...['2, 2', '2,40', '+2', '-2', '0x2', '2 2', '2e0', '', '2;x', '99999999999999999999', '\x0b2'].map((length): [string, string] => [
        `the length ${JSON.stringify(length)}`,
        `${LOGIN}Content-Length: ${length}\r\n\r\n{}${SMUGGLED}`,
      ]),
      ...[
        'Transfer-Encoding: xchunked',
        'Transfer-Encoding: chunkedx',
        'Transfer-Encoding: identity',
        'Transfer-Encoding: chunked, identity',
        'Transfer-Encoding: "chunked"',
        'Transfer-Encoding: \x0bchunked',
        'Transfer-Encoding: chunked\x00',
        'Transfer-Encoding : chunked',
        'Transfer-Encoding\t: chunked',
        'Transfer-Encoding:\r\n chunked',
        ' Transfer-Encoding: chunked',
        'X: x\rTransfer-Encoding: chunked',
        'X: x\nTransfer-Encoding: chunked',
        'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
        'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
        'Transfer-Encoding: gzip, chunked',
        'Transfer-Encoding: gzip, chunked\r\nTransfer-Encoding: identity',
      ].map((encoding): [string, string] => [JSON.stringify(encoding), chunked(encoding)]),
    ])('refuses %s, and reads nothing after it', async (_, bytes) => {
      const done = await send(bytes);
      expect(statuses(done)).toEqual([400]);
      expectProblem(done.answers[0], 400);
      expect(done.rest).toBe('');
    });

    it.each([
      ['a size as 0x', '0x2\r\n{}\r\n0\r\n\r\n'],
      ['a negative size', '-2\r\n{}\r\n0\r\n\r\n'],
      ['a size beyond 64 bits', 'fffffffffffffffff\r\n{}\r\n0\r\n\r\n'],
      ['a size with a space before it', ' 2\r\n{}\r\n0\r\n\r\n'],
      ['a line feed alone after the size', '2\n{}\r\n0\r\n\r\n'],
      ['a line feed alone after the bytes', '2\r\n{}\n0\r\n\r\n'],
      ['a carriage return alone after the size', '2\r{}\r\n0\r\n\r\n'],
      ['more bytes than the size says', '2\r\n{}xxxx\r\n0\r\n\r\n'],
      ['a bare line feed in an extension', '2;a\nb\r\n{}\r\n0\r\n\r\n'],
    ])('refuses a chunk with %s', async (_, chunks) => {
      const done = await send(`${LOGIN}Transfer-Encoding: chunked\r\n\r\n${chunks}${SMUGGLED}`);
      expect(statuses(done)).toEqual([400]);
      expectProblem(done.answers[0], 400);
    });

    it('refuses extensions of chunks without an end', async () => {
      const done = await send(`${LOGIN}Transfer-Encoding: chunked\r\n\r\n2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n${SMUGGLED}`);
      expect(statuses(done)).toEqual([413]);
      expectProblem(done.answers[0], 413);
    });

    it('reads trailers as nothing at all, and refuses those that would frame a body', async () => {
      const withTrailers = (trailers: string) => `${LOGIN}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n${trailers}\r\n${LAST}`;
      expect(statuses(await send(withTrailers('Host: evil.example\r\nAuthorization: Bearer x\r\nExpect: x\r\n')))).toEqual([400, 200]);
      for (const trailers of ['Content-Length: 500\r\n', 'Transfer-Encoding: chunked\r\nContent-Length: 1\r\n'])
        expect(statuses(await send(withTrailers(trailers)))).toEqual([400]);
    });

    it.each([
      ['a folded line', 'X: a\r\n b\r\n'],
      ['a carriage return alone', 'X: a\rY: b\r\n'],
      ['a line feed alone', 'X: a\nY: b\r\n'],
      ['U+0000 in a value', 'X: a\x00b\r\n'],
      ['U+0000 in a name', 'X\x00: a\r\n'],
      ['a space in a name', 'X Y: a\r\n'],
      ['no name', ': a\r\n'],
      ['no colon', 'X\r\n'],
      ['a control character', 'X: \x01\r\n'],
    ])('refuses headers with %s', async (_, more) => {
      const done = await send(get(more) + SMUGGLED);
      expect(statuses(done)).toEqual([400]);
      expectProblem(done.answers[0], 400);
    });

    it.each([
      ['no version', 'GET /livez\r\n\r\n'],
      ['another version', 'GET /livez HTTP/1.2\r\nHost: localhost\r\n\r\n'],
      ['the opening of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
      ['a method of no protocol', 'G\x00T /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'],
      ['a space in the target', 'GET /livez x HTTP/1.1\r\nHost: localhost\r\n\r\n'],
      ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ])('refuses a first line with %s', async (_, bytes) => {
      const done = await send(bytes);
      expect(statuses(done)).toEqual([400]);
      expectProblem(done.answers[0], 400);
    });
  });

  describe('G13 that name another server', () => {
    const line = 'GET /health HTTP/1.1\r\n';
    it.each([
      ['no Host', `${line}\r\n`],
      ['an empty Host', `${line}Host:\r\n\r\n`],
      ['two', `${line}Host: localhost\r\nHost: localhost\r\n\r\n`],
      ['two, one of them foreign', `${line}Host: localhost\r\nhost: evil.example\r\n\r\n`],
      ['a foreign one', `${line}Host: evil.example\r\n\r\n`],
      ['a path', `${line}Host: localhost/login?\r\n\r\n`],
      ['a person', `${line}Host: localhost@evil.example\r\n\r\n`],
      ['a list', `${line}Host: localhost, evil.example\r\n\r\n`],
      ['an absolute target', 'GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n'],
      ['an absolute target of its own', 'GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n'],
      ['an authority as the target', 'GET localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
      ['nothing, in HTTP/1.0', 'GET /health HTTP/1.0\r\n\r\n'],
    ])('refuses %s', async (_, bytes) => {
      const done = await send(bytes.replace(/\r\n\r\n$/, '\r\nConnection: close\r\n\r\n'));
      expect(statuses(done)).toEqual([400]);
      expect(JSON.parse(done.answers[0]?.body ?? '')).toMatchObject({
        code: 'invalid',
        request_id: done.answers[0]?.headers['x-request-id'],
      });
      expect(done.answers[0]?.body).not.toContain('evil');
    });

    it('asks also probes for a Host that is there once', async () => {
      for (const bytes of ['GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', get('Host: x\r\nConnection: close\r\n')])
        expect(statuses(await send(bytes))).toEqual([400]);
    });

    it.each(['Authorization', 'Content-Type', 'Idempotency-Key'])('refuses two headers %s', async (name) => {
      const bytes = `POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n${name}: a\r\n${name}: b\r\nContent-Length: 2\r\n\r\n{}${LAST}`;
      expect(statuses(await send(bytes))).toEqual([400]);
    });

    it('opens no tunnel', async () => {
      expect(await send('CONNECT 127.0.0.1:10200 HTTP/1.1\r\nHost: localhost\r\n\r\n')).toMatchObject({ answers: [], rest: '' });
    });

    it('repeats nothing to TRACE, and knows no server as a whole', async () => {
      const trace = await send(`TRACE /livez HTTP/1.1\r\nHost: localhost\r\nCookie: secret\r\nConnection: close\r\n\r\n`);
      expect(statuses(trace)).toEqual([404]);
      expect(trace.answers[0]?.body).not.toContain('secret');
      expect(statuses(await send('OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'))).toEqual([404]);
    });
  });

  describe('P01 that ask for another protocol', () => {
    it.each([
      [
        'WebSocket',
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
      ],
      ['HTTP/2', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'],
      ['TLS', 'Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n'],
    ])('%s is not spoken, with or without a token', async (_, more) => {
      for (const [path, bearer, status] of [
        ['/livez', '', 200],
        ['/api/v1/auth/me', '', 401],
        ['/api/v1/auth/me', `Authorization: Bearer ${token}\r\n`, 200],
        ['/socket.io/?transport=websocket', `Authorization: Bearer ${token}\r\n`, 404],
      ] as const)
        expect(statuses(await send([get(more + bearer, path), LAST]))).toEqual([status]);
    });
  });

  describe('K10 that are too many', () => {
    it.each([
      ['one header of 10 MB', `X: ${'x'.repeat(10_000_000)}\r\n`],
      ['a million headers', 'X: x\r\n'.repeat(1_000_000)],
      ['an Authorization of 20 KB', `Authorization: Bearer ${'x'.repeat(20_000)}\r\n`],
    ])('431 for %s', async (_, more) => {
      const done = await send(get(more));
      expect(statuses(done)).toEqual([431]);
      expectProblem(done.answers[0], 431);
    });

    it('413 for more headers than a proxy adds, none of which is dropped', async () => {
      expect(statuses(await send(get(`${'a:\r\n'.repeat(199)}Connection: close\r\n`)))).toEqual([413]);
      expect(statuses(await send(get(`${'a:\r\n'.repeat(190)}Connection: close\r\n`)))).toEqual([200]);
    });

    it('431 for an address of 20 KB', async () => {
      expect(statuses(await send(get('', `/${'x'.repeat(20_000)}`)))).toEqual([431]);
    });
  });

  describe('Q02 that hide a request in a body nobody reads', () => {
    const body = SMUGGLED.repeat(3);
    const plain = `Content-Length: ${body.length}\r\n\r\n${body}`;
    const inChunks = `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    it.each([
      ['401', 'POST /api/v1/chat/sessions', '', 401],
      ['404', 'POST /nowhere', '', 404],
      ['405', 'POST /livez', '', 405],
      ['415', 'POST /api/v1/auth/login', 'Content-Type: multipart/form-data; boundary=x\r\n', 415],
      ['200, of a GET', 'GET /livez', '', 200],
    ])('%s is followed by the next request only', async (_, line, more, status) => {
      for (const rest of [plain, inChunks])
        expect(statuses(await send(`${line} HTTP/1.1\r\nHost: localhost\r\n${more}${rest}${LAST}`))).toEqual([status, 200]);
    });

    it('413 ends the connection', async () => {
      const done = await send(`${LOGIN}Content-Length: 2000000\r\n\r\n${SMUGGLED.repeat(100)}`);
      expect(statuses(done)).toEqual([413]);
      expect(done.answers[0]?.headers.connection).toBe('close');
    });

    it('an answer is not followed by the complaint about the next request', async () => {
      const done = await send([`GET /api/v1/auth/me HTTP/1.1\r\nHost: localhost\r\n\r\nNONSENSE\r\n\r\n`]);
      expect([[], [401]]).toContainEqual(statuses(done));
    });
  });

  describe('K02 that come slowly', () => {
    it('asks for a body only when it is wanted', async () => {
      const expecting = (more: string): string =>
        `POST /api/v1/chat/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n${more}\r\n`;
      const allowed = `Authorization: Bearer ${token}\r\nConnection: close\r\n`;
      expect(statuses(await send([expecting(allowed), '{}']))).toEqual([100, 201]);
      expect(statuses(await send(expecting('Connection: close\r\n')))).toEqual([401]);
      expect(statuses(await send(`${LOGIN}Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n`))).toEqual([413]);
      expect(statuses(await send(`${LOGIN}Expect: 200-ok\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`))).toEqual([400]);
    });

    it('408 for headers that do not come to an end', async () => {
      const server = api.app.getHttpServer();
      expect(server.headersTimeout).toBe(10_000);
      expect(server.requestTimeout).toBe(900_000);
      server.headersTimeout = 200;
      try {
        const done = await send('GET /livez HTTP/1.1\r\nHost: local');
        expect(statuses(done)).toEqual([408]);
        expectProblem(done.answers[0], 408);
        expect(done.milliseconds).toBeLessThan(5_000);
      } finally {
        server.headersTimeout = 10_000;
      }
    });

    it.each([
      ['stops', { stall: 200, whole: 60_000, linger: 60_000 }],
      ['takes too long', { stall: 400, whole: 200, linger: 60_000 }],
    ])('408 for a body that %s', async (_, times) => {
      const deadline = api.app.get(BodyDeadline);
      const usual = { ...deadline.times };
      expect(usual).toEqual({ whole: 60_000, stall: 20_000, linger: 10_000 });
      Object.assign(deadline.times, times);
      try {
        const done = await send(`${LOGIN}Content-Length: 100\r\n\r\n{"email":`);
        expect(statuses(done)).toEqual([408]);
        expectProblem(done.answers[0], 408);
      } finally {
        Object.assign(deadline.times, usual);
      }
    });

    it('cuts a refused request whose body does not come', async () => {
      const deadline = api.app.get(BodyDeadline);
      const usual = { ...deadline.times };
      deadline.times.linger = 100;
      try {
        expect(statuses(await send('POST /api/v1/chat/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx'))).toEqual([
          401,
        ]);
      } finally {
        Object.assign(deadline.times, usual);
      }
    });
  });
});
