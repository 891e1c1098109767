import { connect } from 'node:net';
import { request as httpRequest } from 'node:http';
import { startApi, type ApiAnswer, type TestApi } from '../support/api';

const SESSIONS = '/api/v1/chat/sessions';
const REGISTER = '/api/v1/auth/register';
const ID = '0197a5b0-0000-7000-8000-000000000000';

describe('problem documents', () => {
  let api: TestApi;
  let token: string;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '10000' } });
    token = (await api.register()).accessToken;
  });
  afterAll(() => api?.close());

  function expectProblem(answer: ApiAnswer, status: number, code: string): void {
    expect([answer.status, answer.text]).toEqual([status, answer.text]);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.json).toMatchObject({
      type: `/docs/errors/${code}`,
      title: expect.any(String),
      detail: expect.any(String),
      status,
      code,
      request_id: answer.headers.get('x-request-id'),
    });
    expect(answer.text).not.toMatch(/node_modules|\.ts:\d|\.js:\d|SELECT|INSERT|zod|Fastify|FST_/);
  }

  /** Sends the bytes as they are. */
  async function raw(
    body: string | Buffer,
    contentType: string | undefined = 'application/json',
    bearer: string | undefined = token,
  ): Promise<ApiAnswer> {
    const response = await fetch(api.url + SESSIONS, {
      method: 'POST',
      headers: {
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      },
      body: Buffer.from(body as string),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) as ApiAnswer['json'] };
  }

  const fields = (answer: ApiAnswer): unknown[] => (answer.json.errors as unknown as Array<{ path: string }>).map(({ path }) => path);

  describe('for a bad body', () => {
    it.each(['{', '{"title":}', 'title=x', '{"title":"x"}}', "{'title':'x'}"])('%s, which is no JSON: 400', async (body) => {
      expectProblem(await raw(body), 400, 'invalid');
    });

    it('that is missing or empty: 400', async () => {
      expectProblem(await raw(''), 400, 'invalid');
      expectProblem(await api.request(REGISTER, { method: 'POST' }), 400, 'invalid');
    });

    it.each(['null', '[]', '1', '"x"', 'true'])('%s instead of an object: 400', async (body) => {
      expectProblem(await raw(body), 400, 'invalid');
    });

    it('with unknown fields: 400 naming each', async () => {
      const answer = await raw('{"title":"x","isAdmin":true,"workspace_id":"y"}');
      expectProblem(answer, 400, 'invalid');
      expect(fields(answer)).toEqual(['isAdmin', 'workspace_id']);
    });

    it('with wrong types: 400 naming each', async () => {
      const answer = await api.post(REGISTER, { email: { $ne: '' }, password: ['x'] });
      expectProblem(answer, 400, 'invalid');
      expect(new Set(fields(answer))).toEqual(new Set(['email', 'password']));
    });

    it('nested too deep: 400, at once', async () => {
      expectProblem(await raw('['.repeat(400_000) + ']'.repeat(400_000)), 400, 'invalid');
      expectProblem(await raw(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`), 400, 'invalid');
    });

    it('with a key twice: 400', async () => {
      expectProblem(await raw('{"title":"a","title":"b"}'), 400, 'invalid');
    });

    it.each(['{"__proto__":{"instance_admin":true}}', '{"constructor":{"prototype":{"x":1}}}'])(
      'with the keys of %s: 422',
      async (body) => {
        expectProblem(await raw(body), 422, 'unprocessable');
        expect(({} as Record<string, unknown>).x).toBeUndefined();
      },
    );

    it('with U+0000 or half a surrogate pair: 422 naming the field', async () => {
      for (const title of ['a\\u0000b', 'a\\ud800b', '\\udfff']) {
        const answer = await raw(`{"title":"${title}"}`);
        expectProblem(answer, 422, 'unprocessable');
        expect(fields(answer)).toEqual(['title']);
      }
    });

    it('that is no UTF-8: 400', async () => {
      expectProblem(await raw(Buffer.from('7b227469746c65223a22ff227d', 'hex')), 400, 'invalid');
    });

    it('over 1 MiB: 413, declared or not', async () => {
      expectProblem(await raw(`{"title":"${'x'.repeat(1_048_576)}"}`), 413, 'too_large');
      expect(await chunked(Buffer.alloc(1_200_000, 0x20))).toMatchObject({ status: 413, code: 'too_large' });
    });

    it.each([
      'text/plain',
      'application/xml',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/octet-stream',
      'nonsense',
    ])('of the type %s: 415', async (type) => {
      expectProblem(await raw('{"title":"x"}', type), 415, 'unsupported_media_type');
    });

    it('as JSON with a charset is none of that', async () => {
      expect((await raw('{"title":"x"}', 'application/json; charset=utf-8')).status).toBe(201);
    });
  });

  describe('for a bad address', () => {
    it('that does not exist: 404, without repeating it', async () => {
      const answer = await api.get('/api/v1/<script>alert(1)</script>', token);
      expectProblem(answer, 404, 'not_found');
      expect(answer.text).not.toContain('script');
    });

    it.each(['x', '../me', ID, `${ID}0`, 'é', ID.toUpperCase(), '0'.repeat(2_000)])(
      'with the id %s: 404, as if it were unknown',
      async (id) => {
        const answer = await api.get(`/api/v1/jobs/${encodeURIComponent(id)}`, token);
        expectProblem(answer, 404, 'not_found');
      },
    );

    it('with U+0000 in the path: 422', async () => {
      expectProblem(await api.get('/api/v1/models/a%00b', token), 422, 'unprocessable');
    });

    it('that cannot be decoded, or is too long: 400', async () => {
      expectProblem(await api.get('/api/v1/jobs/%zz', token), 400, 'invalid');
      expectProblem(await api.get(`/api/v1/jobs/${'0'.repeat(2_100)}`, token), 400, 'invalid');
    });

    it.each(['limit=0', 'limit=101', 'limit=x', 'after=x', 'order=up', 'page=2', `after=${ID}&before=${ID}`])(
      'with the query %s: 400',
      async (query) => {
        expectProblem(await api.get(`/api/v1/jobs?${query}`, token), 400, 'invalid');
      },
    );

    it('with U+0000 in the query: 422', async () => {
      expectProblem(await api.get('/api/v1/jobs?kind=a%00b', token), 422, 'unprocessable');
    });
  });

  describe('for another method', () => {
    it.each([
      ['PUT', REGISTER, 'POST'],
      ['GET', REGISTER, 'POST'],
      ['POST', '/health', 'GET, HEAD'],
      ['DELETE', '/api/v1/auth/me', 'GET, HEAD'],
      ['PATCH', `/api/v1/jobs/${ID}/cancel`, 'POST'],
      ['OPTIONS', '/api/v1/auth/me', 'GET, HEAD'],
    ])('%s %s: 405 and Allow: %s', async (method, path, allow) => {
      const answer = await api.request(path, { method });
      expectProblem(answer, 405, 'method_not_allowed');
      expect(answer.headers.get('allow')).toBe(allow);
    });

    it('HEAD is GET without the body', async () => {
      const [get, head] = await Promise.all([api.fetch('/livez'), api.fetch('/livez', { method: 'HEAD' })]);
      expect([head.status, await head.text(), head.headers.get('content-length')]).toEqual([200, '', get.headers.get('content-length')]);
      expect((await api.fetch('/api/v1/auth/me', { method: 'HEAD' })).status).toBe(401);
    });
  });

  describe('in the order of the contract', () => {
    it('413 comes before 401', async () => {
      expectProblem(await raw('x'.repeat(1_100_000), 'application/json', 'wrong'), 413, 'too_large');
    });

    it('401 comes before 415 and 400', async () => {
      expectProblem(await raw('{', 'text/plain', 'wrong'), 401, 'unauthenticated');
      expectProblem(await raw('{', 'application/json', 'wrong'), 401, 'unauthenticated');
    });

    it('403 comes before 415 and 400', async () => {
      const key = await api.key(token, ['jobs:read']);
      expectProblem(await raw('{', 'text/plain', key), 403, 'forbidden');
      expectProblem(await raw('{', 'application/json', key), 403, 'forbidden');
    });

    it('415 comes before 400', async () => {
      expectProblem(await raw('{', 'text/plain'), 415, 'unsupported_media_type');
    });
  });

  describe('before there is a request', () => {
    it('bytes that are no HTTP: 400', async () => {
      expect(await socket('NONSENSE\r\n\r\n')).toMatchObject({ status: 400, body: { code: 'invalid', status: 400 } });
    });

    it('headers over the limit: 431', async () => {
      expect(await socket(`GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ${'x'.repeat(40_000)}\r\n\r\n`)).toMatchObject({
        status: 431,
        body: { code: 'too_large', status: 431 },
      });
    });

    it('the server goes on', async () => {
      expect((await api.get('/livez')).status).toBe(200);
    });
  });

  it('explains every code at its type', async () => {
    const answer = await api.get('/docs/errors/rate_limited');
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('HTTP 429')]);
    expectProblem(await api.get('/docs/errors/toString'), 404, 'not_found');
  });

  function chunked(body: Buffer): Promise<{ status: number; code: unknown }> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        api.url + SESSIONS,
        { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` } },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString()));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, code: (JSON.parse(text) as { code: unknown }).code }));
        },
      );
      request.on('error', reject);
      request.write(body.subarray(0, 1_000));
      request.end(body.subarray(1_000));
    });
  }

  function socket(bytes: string): Promise<{ status: number; body: unknown }> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(api.url);
      const connection = connect(Number(port), hostname, () => connection.write(bytes));
      let text = '';
      connection.on('data', (chunk) => (text += chunk.toString()));
      connection.on('error', reject);
      connection.on('close', () => {
        const [head = '', body = ''] = text.split('\r\n\r\n');
        resolve({ status: Number(head.split(' ')[1]), body: JSON.parse(body) as unknown });
      });
    });
  }
});
