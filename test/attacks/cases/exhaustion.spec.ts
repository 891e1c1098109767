import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Passwords } from '../../../libs/features/auth/people/passwords.service';
import { PostgresClient, sql } from '@backing/postgres';
import type { FastifyReply } from 'fastify';
import { v7 } from 'uuid';
import { RouteTable } from '../../../apps/api/src/http/route-table';
import { FrameWriter } from '../../../apps/api/src/openai/frame-writer';
import { startApi, type ApiAnswer, type TestApi } from '../../support/api';
import { People } from '../kit';
import { listeners } from '../network/listeners';
import { productionPackages, sourcesWith } from '../network/sources';
import { exchange } from '../raw/raw-exchange';

const DOCUMENTS = '/api/v1/documents';
const MEBIBYTE = 1_048_576;
/** Requests per minute of this server; a sixth of them at once. */
const PER_MINUTE = 900;
const AT_ONCE = 150;
const BOUNDARY = 'x';

interface Somebody {
  userId: string;
  workspaceId: string;
  token: string;
}

describe('requests that want too much', () => {
  const models = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));
  let api: TestApi;
  let people: People;
  let database: PostgresClient;
  let me: Somebody;

  beforeAll(async () => {
    api = await startApi({
      database: 'embedded',
      env: { MODELS_DIR: models, RATE_LIMIT_PER_MINUTE: String(PER_MINUTE), MAX_UPLOAD_BYTES: String(MEBIBYTE) },
    });
    database = api.app.get(PostgresClient, { strict: false });
    people = await People.of(api, database);
  });
  // A person of its own for each test: none counts against the limit of another.
  beforeEach(async () => {
    me = await somebody();
  });
  afterAll(async () => {
    await api?.close();
    rmSync(models, { recursive: true, force: true });
  });

  async function somebody(): Promise<Somebody> {
    const { userId, ownWorkspaceId: workspaceId } = await people.make('somebody');
    return { userId, workspaceId, token: await people.token(userId, workspaceId) };
  }

  /** Files of uploads, finished or not, and what a form might have left in the folder for temporary files. */
  const files = (): string[] => [
    ...readdirSync(api.directory.path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.parentPath.includes('blobs'))
      .map((entry) => join(entry.parentPath, entry.name)),
    ...readdirSync(tmpdir()).filter((name) => /multipart|upload|busboy|fastify/i.test(name)),
  ];

  async function form(
    body: string | Buffer,
    type = `multipart/form-data; boundary=${BOUNDARY}`,
    path = DOCUMENTS,
    method = 'POST',
  ): Promise<ApiAnswer> {
    const headers = { 'content-type': type, authorization: `Bearer ${me.token}` };
    const response = await fetch(api.url + path, { method, headers, body: new Uint8Array(Buffer.from(body as string)) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) as ApiAnswer['json'] };
  }

  describe('K01 a million dashes', () => {
    const dashes = '-'.repeat(1_000_000);

    it.each([
      [
        'after the boundary',
        `--${BOUNDARY}${dashes}\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--${BOUNDARY}--\r\n`,
      ],
      ['before it', `${dashes}--${BOUNDARY}--\r\n`],
      [
        'in lines that are almost one',
        `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n${'\r\n--'.repeat(250_000)}`,
      ],
    ])('%s cost a stranger nothing, and a user little', async (_, body) => {
      const stranger = await leastCpu(async () => {
        const response = await fetch(api.url + DOCUMENTS, {
          method: 'POST',
          headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
          body,
        });
        await response.text();
        return response.status;
      });
      expect(stranger).toMatchObject({ result: 401 });
      expect(stranger.milliseconds).toBeLessThan(100);
      const user = await leastCpu(async () => (await form(body)).status);
      expect([400, 413, 415]).toContain(user.result);
      expect(user.milliseconds).toBeLessThan(500);
      expect(files()).toEqual([]);
    });

    it('as a boundary are too much for the headers', async () => {
      const bytes = `POST ${DOCUMENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=${dashes}\r\n\r\n`;
      expect((await exchange(api.url, bytes)).answers.map(({ status }) => status)).toEqual([431]);
    });

    /** Of three tries, the CPU time of this whole process in milliseconds; others use it too. */
    async function leastCpu<T>(work: () => Promise<T>): Promise<{ result: T; milliseconds: number }> {
      const tries: { result: T; milliseconds: number }[] = [];
      for (let count = 0; count < 3; count += 1) {
        const before = process.cpuUsage();
        const result = await work();
        const { user, system } = process.cpuUsage(before);
        tries.push({ result, milliseconds: (user + system) / 1_000 });
      }
      return tries.reduce((least, next) => (next.milliseconds < least.milliseconds ? next : least));
    }
  });

  describe('K02 a form', () => {
    const part = (disposition: string, content = 'x', more = ''): string =>
      `--${BOUNDARY}\r\nContent-Disposition: ${disposition}\r\n${more}\r\n${content}\r\n`;
    const file = part('form-data; name="file"; filename="a.txt"', 'A text.');
    const end = `--${BOUNDARY}--\r\n`;
    it.each<[string, string, string?]>([
      ['without an end', file],
      ['that ends within a header', `--${BOUNDARY}\r\nContent-Dispo`],
      ['without a part', end],
      ['without a boundary', file + end, 'multipart/form-data'],
      ['with an empty boundary', file + end, 'multipart/form-data; boundary='],
      ['with another boundary', file + end, 'multipart/form-data; boundary=y'],
      ['with a part without headers', `--${BOUNDARY}\r\n\r\nx\r\n${end}`],
      ['with a field without a name', part('form-data') + file + end],
      ['with an empty name of a field', part('form-data; name=""') + file + end],
      ['with an empty name of a file', part('form-data; name=""; filename="a.txt"') + end],
      ['with two files', file + file + end],
      ['with a name of 10 KB', part(`form-data; name="${'n'.repeat(10_000)}"`) + file + end],
      ['with a value of 100 KB', part('form-data; name="collection"', 'v'.repeat(100_000)) + file + end],
      ['with a hundred thousand headers in a part', part('form-data; name="z"', 'x', 'X: y\r\n'.repeat(100_000)) + file + end],
      ['with a hundred thousand fields', part('form-data; name="a"').repeat(18_000) + file + end],
      ['with a hundred thousand files', file.repeat(10_000) + end],
      [
        'within a form',
        part('form-data; name="file"; filename="a"', 'x', `Content-Type: multipart/mixed; boundary=y\r\n`) +
          part('form-data; name="z"') +
          end,
      ],
      ['of another kind', file + end, 'multipart/mixed; boundary=x'],
    ])('%s is refused, and nothing of it stays', async (_, body, type = `multipart/form-data; boundary=${BOUNDARY}`) => {
      const answer = await form(body, type);
      expect([400, 413, 415]).toContain(answer.status);
      expect(answer.json).toMatchObject({ status: answer.status, request_id: expect.any(String) });
      await settled();
      expect(await counted()).toBe(0);
      expect(files()).toEqual([]);
    });

    it('whose sender hangs up leaves nothing', async () => {
      for (const bytes of [`--${BOUNDARY}`, file.slice(0, 60), file, `${file.slice(0, -2)}${'x'.repeat(100_000)}`]) await hungUp(bytes);
      // The server hears of it a moment later.
      await until(async () => (await api.get('/livez')).status === 200 && files().length === 0);
      expect(files()).toEqual([]);
      expect(await counted()).toBe(0);
    });

    /** Sends headers and the beginning of a body, waits until the server has read it, and goes. */
    function hungUp(bytes: string): Promise<void> {
      return new Promise((resolve) => {
        const socket = connect(Number(new URL(api.url).port), '127.0.0.1', () => {
          const head = `POST ${DOCUMENTS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${me.token}\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: 900000\r\nExpect: 100-continue\r\n\r\n`;
          socket.write(head);
          // 100 Continue: the guard is passed.
          socket.once('data', () => socket.write(bytes, () => socket.resetAndDestroy()));
        });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
      });
    }
  });

  it.each([
    ['K04 a password of 10 MB', { email: 'first@example.org', password: 'p'.repeat(10 * MEBIBYTE) }, 413],
    ['K04 an e-mail of 10 MB', { email: `${'e'.repeat(10 * MEBIBYTE)}@example.org`, password: 'correct horse battery' }, 413],
    ['K04 a password of 1 MB', { email: 'first@example.org', password: 'p'.repeat(1_000_000) }, 400],
    ['K04 an e-mail of 1 MB', { email: `${'e'.repeat(1_000_000)}@example.org`, password: 'correct horse battery' }, 400],
  ])('%s is not hashed', async (_, body, status) => {
    const passwords = api.app.get(Passwords, { strict: false });
    const spies = [jest.spyOn(passwords, 'hash'), jest.spyOn(passwords, 'verify')];
    try {
      for (const path of ['login', 'register']) expect((await api.post(`/api/v1/auth/${path}`, body)).status).toBe(status);
      for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });

  it('K05 every door for files has the same limit, announced or not, and a thousandth try fills no more than the first', async () => {
    const doors = api.app.get(RouteTable).routes.filter(({ marks }) => marks.uploads === true);
    expect(doors.map(({ method, url }) => `${method} ${url}`)).toEqual(['POST /api/v1/documents', 'PUT /api/v1/documents/:id']);
    const [answer] = [await api.post(DOCUMENTS, { name: 'a', text: 'A text.' }, me.token)];
    const id = (answer.json as unknown as { document: { id: string } }).document.id;
    const before = await settled();
    for (let count = 0; count < 10; count += 1) {
      for (const { method, url } of doors) {
        expect([url, await streamed(method, url.replace(':id', id), 3 * MEBIBYTE)]).toEqual([url, 413]);
        const declared = { 'content-length': String(5 * MEBIBYTE) };
        expect([url, await streamed(method, url.replace(':id', id), 10, declared)]).toEqual([url, 413]);
      }
    }
    await settled();
    expect(files()).toEqual(before);
    expect((await api.delete(`${DOCUMENTS}/${id}`, me.token)).status).toBe(204);

    function streamed(method: string, path: string, bytes: number, more: Record<string, string> = {}): Promise<number> {
      const headers = { authorization: `Bearer ${me.token}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, ...more };
      return new Promise((resolve, reject) => {
        const request = httpRequest(api.url + path, { method, headers }, (response) => {
          response.resume();
          response.on('end', () => {
            resolve(response.statusCode ?? 0);
            request.destroy();
          });
        });
        request.on('error', reject);
        request.write(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n`);
        request.write(Buffer.alloc(bytes, 'x'));
        if (more['content-length'] === undefined) request.end(`\r\n--${BOUNDARY}--\r\n`);
      });
    }
  });

  it.each([
    [
      '/v1/chat/completions',
      { model: 'm', messages: [{ role: 'user', content: 'x' }], chat_template_kwargs: { a: 1 } },
      'chat_template_kwargs',
    ],
    ['/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'x' }], guided_regex: '(a+)+$' }, 'guided_regex'],
    ['/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'x' }], extra_body: {} }, 'extra_body'],
    ['/v1/completions', { model: 'm', prompt: 'x', chat_template: '{{7*7}}' }, 'chat_template'],
    ['/v1/embeddings', { model: 'm', input: 'x', truncate_prompt_tokens: -1 }, 'truncate_prompt_tokens'],
  ])('K10 %s does not know the parameter of another server', async (path, body, param) => {
    expect([(await api.post(path, body, me.token)).json]).toMatchObject([{ error: { type: 'invalid_request_error', param } }]);
  });

  describe('K11 nesting', () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;

    it.each(['/api/v1/auth/login', '/api/v1/chat/sessions', '/v1/chat/completions', '/api/v1/vectors/collections/default/search'])(
      'of 200,000 is 400 at %s, complete or not',
      async (path) => {
        for (const body of [deep, deep.slice(0, 200_000), `{"a":${deep}}`]) {
          const headers = { 'content-type': 'application/json', authorization: `Bearer ${me.token}` };
          const response = await fetch(api.url + path, { method: 'POST', headers, body });
          expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('nested deeper')]);
        }
      },
    );

    it('in a field of a form, and in the header of bytes', async () => {
      const body = `--x\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n${'['.repeat(10_000)}\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nA text.\r\n--x--\r\n`;
      expect((await form(body)).json).toMatchObject({ code: 'invalid', errors: [{ path: 'metadata' }] });
      const header = Buffer.from(deep);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(header.length);
      await api.post('/api/v1/vectors/collections', { name: 'deep', dimensions: 3 }, me.token);
      const path = '/api/v1/vectors/collections/deep/points';
      const answer = await form(Buffer.concat([length, header]), 'application/octet-stream', path, 'PUT');
      expect(answer.json).toMatchObject({ code: 'invalid', detail: expect.stringContaining('nested deeper') });
    });
  });

  describe('K14 an address', () => {
    it.each([
      ['of 2,049 characters', `http://example.org/${'a'.repeat(2_030)}`],
      ['of a megabyte', `http://example.org/${'../'.repeat(300_000)}`],
      ['without a host', 'http://'],
      ['of slashes', `http:${'/'.repeat(1_000)}`],
      ['with a port of a million', 'http://example.org:1000000/'],
      ['that is a file', 'file:///etc/passwd'],
      ['that is a script', 'javascript:alert(1)'],
      ['that is bytes', `data:text/plain;base64,${'A'.repeat(2_000)}`],
      ['that is none', '%%%'],
    ])('%s is refused at once', async (_, url) => {
      const answer = await api.post(DOCUMENTS, { url }, me.token);
      expect([400, 422]).toContain(answer.status);
      expect(await counted()).toBe(0);
    });

    it('leads to one page: nothing here follows links or site maps', () => {
      expect(sourcesWith(/sitemap|crawler|robots\.txt/iu)).toEqual([]);
    });
  });

  describe('K16 numbers', () => {
    const collection = '/api/v1/vectors/collections/default';
    const search = `${collection}/search`;
    const chat = (more: object): object => ({ model: 'm', messages: [{ role: 'user', content: 'x' }], ...more });
    const agent = (limits: object): object => ({ name: 'a', instructions: 'x', model: 'm', limits });
    const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `p${index}`);
    it.each<[string, unknown, string]>([
      [search, { vector: [1], limit: 1_000_000_000 }, 'limit'],
      [search, { vector: [1], limit: 201 }, 'limit'],
      [search, { vector: [1], limit: -1 }, 'limit'],
      [search, { vector: [1], limit: 1.5 }, 'limit'],
      [search, { text: 'x'.repeat(32_001) }, 'text'],
      ['/api/v1/search', { query: 'x', collections: ['default'], limit: 1_000_000_000 }, 'limit'],
      ['/api/v1/search', { query: 'x', collections: many(17) }, 'collections'],
      [`${collection}/points/get`, { ids: many(1_001) }, 'ids'],
      [`${collection}/points/delete`, { ids: many(1_001) }, 'ids'],
      [`${collection}/points/scroll`, { limit: 1_000_000_000 }, 'limit'],
      ['/api/v1/vectors/collections', { name: 'x', dimensions: 1_000_000_000 }, 'dimensions'],
      ['/api/v1/chat/sessions', { title: 'x'.repeat(201) }, 'title'],
      ['/api/v1/chat/sessions', { options: { max_tokens: 1_000_000_000 } }, 'options.max_tokens'],
      ['/api/v1/chat/sessions', { options: { stop: many(5) } }, 'options.stop'],
      ['/api/v1/chat/sessions', { collections: many(17) }, 'collections'],
      ['/api/v1/agents', agent({ steps: 1_000_000_000 }), 'limits.steps'],
      ['/api/v1/agents', agent({ tool_calls: 1_000_000_000 }), 'limits.tool_calls'],
      ['/api/v1/agents', agent({ tokens: 1_000_000_000_000 }), 'limits.tokens'],
      ['/api/v1/agents', agent({ seconds: 1_000_000_000 }), 'limits.seconds'],
      ['/v1/chat/completions', chat({ n: 1_000 }), 'n'],
      ['/v1/chat/completions', chat({ max_tokens: 1_000_000_000 }), 'max_tokens'],
      ['/v1/chat/completions', chat({ max_completion_tokens: 1_000_000_000 }), 'max_completion_tokens'],
      ['/v1/chat/completions', chat({ stop: many(5) }), 'stop'],
      ['/v1/chat/completions', chat({ stop: 'x'.repeat(100_000) }), 'stop'],
      ['/v1/chat/completions', chat({ collections: many(17) }), 'collections'],
      ['/v1/chat/completions', chat({ top_logprobs: 1_000_000 }), 'top_logprobs'],
      ['/v1/completions', { model: 'm', prompt: many(17) }, 'prompt'],
      ['/v1/completions', { model: 'm', prompt: 'x', best_of: 1_000 }, 'best_of'],
      ['/v1/embeddings', { model: 'm', input: many(2_049) }, 'input'],
    ])('%s refuses too much of %#', async (path, body, field) => {
      const { status, json } = await api.post(path, body, me.token);
      const named = path.startsWith('/v1')
        ? (json as unknown as { error: { param: string } }).error.param
        : (json.errors as unknown as { path: string }[])[0]?.path;
      expect([status, named]).toEqual([400, field]);
    });

    it.each(['/api/v1/jobs', DOCUMENTS, '/api/v1/chat/sessions', '/api/v1/agents', '/api/v1/auth/keys', `${collection}/points`])(
      '%s gives no page beyond 100',
      async (path) => {
        for (const limit of ['1000000000', '101', '-1', '1e9', '0x65', '99999999999999999999'])
          expect([limit, (await api.get(`${path}?limit=${limit}`, me.token)).status]).toEqual([limit, 400]);
      },
    );

    it('that no double can hold are refused', async () => {
      await api.post('/api/v1/vectors/collections', { name: 'numbers', dimensions: 1 }, me.token);
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${me.token}` };
      for (const [body, status] of [
        ['{"vector":[1e999]}', 422],
        ['{"vector":[1],"limit":1e999}', 400],
        ['{"vector":[1],"min_score":1e999}', 400],
      ] as const) {
        const response = await fetch(`${api.url}/api/v1/vectors/collections/numbers/search`, { method: 'POST', headers, body });
        expect([body, response.status]).toEqual([body, status]);
      }
    });
  });

  describe('K16 at the same time', () => {
    it('one person gets so many streams, whatever tokens and keys it has, and others get theirs', async () => {
      const job = await row(me, 'documents.ingest', 'waiting');
      const path = `/api/v1/jobs/${job}/events`;
      const keys = [await api.key(me.token, ['jobs:read']), await api.key(me.token, ['jobs:read'])];
      const other = await somebody();
      const open: AbortController[] = [];
      const stream = async (token: string): Promise<Response> => {
        const controller = new AbortController();
        open.push(controller);
        return api.fetch(path, { token }, controller.signal);
      };
      try {
        const answers: Response[] = [];
        for (let count = 0; count < 200; count += 1) answers.push(await stream([me.token, ...keys][count % 3] ?? ''));
        expect(answers.map(({ status }) => status)).toEqual([
          ...Array.from({ length: AT_ONCE }, () => 200),
          ...Array.from({ length: 50 }, () => 429),
        ]);
        const refused = answers.at(-1);
        expect([refused?.headers.get('retry-after'), await refused?.json()]).toMatchObject(['1', { code: 'rate_limited' }]);
        expect((await api.get('/api/v1/jobs', me.token)).status).toBe(429);
        expect((await api.get('/api/v1/jobs', other.token)).status).toBe(200);
      } finally {
        for (const controller of open) controller.abort();
      }
      // Each place is free again as soon as its connection is gone.
      await until(async () => (await api.get('/api/v1/jobs', me.token)).status === 200);
    });

    it('one person has so many answers and runs in the queue, and others have theirs', async () => {
      const other = await somebody();
      const session = async ({ token }: Somebody): Promise<string> => String((await api.post('/api/v1/chat/sessions', {}, token)).json.id);
      const ask = async (who: Somebody): Promise<ApiAnswer> =>
        api.post(`/api/v1/chat/sessions/${await session(who)}/messages`, { content: 'x' }, who.token);
      for (let count = 0; count < 1_000; count += 1) await row(me, 'chat.answer', 'queued');
      const refused = await ask(me);
      expect([refused.status, refused.json, refused.headers.get('retry-after')]).toMatchObject([429, { code: 'rate_limited' }, '10']);
      // There is no model: the next guard says so.
      expect((await ask(other)).status).toBe(503);
      expect(await jobsOf(me)).toBe(1_000);
    });

    it('a reader that never reads is left, and what is written for it does not pile up', async () => {
      let most = 0;
      const left = new Promise<void>((resolve) => {
        const server = createServer((_, answer) => {
          const writer = new FrameWriter({ raw: answer, hijack: () => undefined, getHeaders: () => ({}) } as unknown as FastifyReply, 200);
          writer.open();
          void (async () => {
            while (!answer.destroyed && most < 8 * MEBIBYTE) {
              writer.push(`data: ${'x'.repeat(65_536)}\n\n`);
              await new Promise((turn) => setImmediate(turn));
              most = Math.max(most, answer.writableLength);
              await writer.ready();
            }
            answer.destroy();
            server.close(() => resolve());
          })();
        }).listen(0, '127.0.0.1', () => {
          const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () =>
            socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
          );
          socket.pause();
          socket.on('error', () => undefined);
        });
      });
      await left;
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThan(MEBIBYTE);
    });

    /** A job that nobody will begin. */
    async function row({ userId, workspaceId }: Somebody, kind: string, status: string): Promise<string> {
      const id = v7();
      await database.query(
        sql`INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, status, max_attempts, last_seq, retry_at, dispatched_at)
            VALUES (${id}::uuid, ${workspaceId}::uuid, ${userId}::uuid, ${kind}, 1, '{}'::jsonb, ${status}, 1, 1, now() + interval '1 day', now() + interval '1 day')`,
      );
      await database.query(sql`INSERT INTO job_events (job_id, seq, event, data) VALUES (${id}::uuid, 1, 'accepted', '{}'::jsonb)`);
      return id;
    }

    async function jobsOf({ userId }: Somebody): Promise<number> {
      const [found] = await database.query<{ count: number }>(
        sql`SELECT count(*)::int AS count FROM jobs WHERE owner_id = ${userId}::uuid`,
      );
      return found?.count ?? -1;
    }
  });

  it('K17 nothing listens but the API and its figures, both on loopback', () => {
    const here = listeners();
    expect(here).toHaveLength(2);
    expect(here.filter((address) => !address.startsWith('127.0.0.1:'))).toEqual([]);
    expect(sourcesWith(/Transport\.(?:TCP|REDIS|NATS|MQTT|GRPC)|ServerTCP/u)).toEqual([]);
    // A worker takes its jobs from the broker, to which it connects: it has no door for them.
    expect(sourcesWith(/createMicroservice\(/u)).toEqual(['apps/worker/src/main.ts']);
    expect(productionPackages().filter((name) => /^(?:mqtt|nats|@grpc\/.*|kafkajs)$/.test(name))).toEqual([]);
  });

  async function counted(): Promise<number> {
    const [found] = await database.query<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM documents WHERE workspace_id = ${me.workspaceId}::uuid`,
    );
    return found?.count ?? -1;
  }

  /** What is removed after a refusal is gone. */
  async function settled(): Promise<string[]> {
    await until(async () => !files().some((path) => path.includes('.incoming')));
    return files();
  }

  async function until(done: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!(await done())) {
      if (performance.now() > deadline) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
});
