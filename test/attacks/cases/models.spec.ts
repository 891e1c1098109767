import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request as rawRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RouteTable } from '../../../apps/api/src/http/route-table';
import { loadScript } from '../../scripts/load-script';
import { startApi, type Registered, type TestApi } from '../../support/api';
import { parseEvents, type StreamedEvent } from '../../support/events';
import { OllamaDouble } from '../../support/ollama-double';
import { CanaryHttp } from '../network/canary-http';
import { ExecCanary } from '../network/exec-canary';
import { sourcesWith } from '../network/sources';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
/** Routes of Ollama that a client needs; everything else of it stays unused. */
const USED = ['chat', 'delete', 'embed', 'generate', 'ps', 'pull', 'show', 'tags', 'version'];

interface Downloads {
  download(
    source: string,
    target: string,
    expected: { sha256: string; size: number },
    options: { out: { write(text: string): boolean } },
  ): Promise<unknown>;
}

describe('models and the servers that have them', () => {
  let api: TestApi;
  let admin: Registered;
  let double: OllamaDouble;
  let canary: CanaryHttp;
  let processes: ExecCanary;
  const models = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));

  beforeAll(async () => {
    processes = new ExecCanary();
    canary = await CanaryHttp.start();
    double = await OllamaDouble.start();
    api = await startApi({
      database: 'embedded',
      // Any name is allowed: what is refused below is no name.
      env: { OLLAMA_URL: double.url, MODEL_ALLOW: '*', AUTH_REGISTRATION: 'open', MODELS_DIR: models, RATE_LIMIT_PER_MINUTE: '100000' },
    });
    admin = await api.register();
  });
  beforeEach(() => double.answers.set('pull', (_, response) => void response.end('{"status":"success"}\n')));
  afterEach(() => expect({ connections: canary.connections, processes: processes.started }).toEqual({ connections: 0, processes: [] }));
  afterAll(async () => {
    await api?.close();
    await double?.close();
    await canary?.close();
    processes?.close();
    rmSync(models, { recursive: true, force: true });
  });

  const pull = (name: unknown, more: object = {}, token = admin.accessToken) => api.post('/api/v1/models', { name, ...more }, token);
  const ended = async (jobId: string): Promise<StreamedEvent | undefined> =>
    (await parseEvents(await api.fetch(`/api/v1/jobs/${jobId}/events`, { token: admin.accessToken }))).at(-1);
  /** What the server shows of its weights. */
  const weights = (digest: string): void => {
    const shown = {
      modelfile: `FROM /models/blobs/${digest.replace(':', '-')}\n`,
      template: '{{ .Prompt }}',
      capabilities: ['completion'],
      model_info: { 'general.architecture': 'llama', 'llama.context_length': 4_096 },
    };
    double.answers.set('show', (_, response) => void response.end(JSON.stringify(shown)));
  };

  describe('A23 B14 a name that is an address, a path or a digest is no name', () => {
    const NAMES = [
      'http://127.0.0.1/a',
      'https:/evil.test/a',
      '127.0.0.1:5000/a',
      'localhost/../a',
      '../../etc/passwd',
      '/etc/passwd',
      'a/../b',
      'a//b',
      'a/b/c/d',
      `a@${DIGEST}`,
      DIGEST,
      'sha256:../../..',
      'a:../b',
      'a:b/c',
      'a:b:c',
      'A',
      'a b',
      'a\nb',
      'a\0b',
      'a%2fb',
      'a?b=c',
      'a#b',
      '-a',
      '.a',
      '',
      'a'.repeat(301),
      'a;id',
      '$(id)',
      '`id`',
      'a|id',
      'a&id',
      '--into',
      '{{7*7}}',
    ];
    it.each(NAMES)('%j', async (name) => {
      const before = double.to('pull').length;
      const { status, json } = await pull(name);
      expect([status, json.code]).toEqual(name.includes('\0') ? [422, 'unprocessable'] : [400, 'invalid']);
      expect(double.to('pull').length).toBe(before);
    });

    it.each([{ a: 1 }, ['a'], 7, null, true])('%j', async (name) => {
      expect((await pull(name)).status).toBe(400);
    });

    it.each(['evil.test/a/b', 'registry.evil.test:5000/a/b:c', '127.0.0.1:80/a/b', 'hf.co.evil.test/a/b'])(
      'A25 any text is allowed, and still not the registry of %s',
      async (name) => {
        const before = double.to('pull').length;
        const { status, json } = await pull(name);
        expect([status, json.code]).toEqual([403, 'forbidden']);
        expect(double.to('pull').length).toBe(before);
      },
    );

    it('A14 nor for who is no instance admin', async () => {
      const other = await api.register('other@example.org');
      const before = double.to('pull').length;
      expect((await pull('tiny', {}, other.accessToken)).status).toBe(403);
      expect((await api.delete('/api/v1/models/tiny', other.accessToken)).status).toBe(403);
      expect(double.to('pull').length).toBe(before);
    });

    it('A23 and more than a name is not taken: no insecure registry, no token', async () => {
      for (const field of ['insecure', 'registry', 'stream', 'username', 'password', 'realm', 'from', 'modelfile', 'files'])
        expect([field, (await pull('tiny', { [field]: 'x' })).status]).toEqual([field, 400]);
    });
  });

  describe('L05 B14 a name whose weights were moved', () => {
    it.each([
      'sha256:../../etc/passwd',
      `sha256:${'a'.repeat(63)}`,
      `sha256:${'a'.repeat(65)}`,
      `sha256:${'A'.repeat(64)}`,
      'a'.repeat(64),
      `md5:${'a'.repeat(32)}`,
      `${DIGEST}\n`,
      '',
    ])('a digest is of one form: not %j', async (digest) => {
      const { status, json } = await pull('moved', { digest });
      expect([status, json.errors]).toEqual([400, [{ path: 'digest', message: expect.any(String) }]]);
    });

    it('is not kept when other weights come than were wanted', async () => {
      weights(OTHER);
      double.answers.set('delete', (_, response) => {
        double.models = [];
        response.end();
      });
      double.answers.set('pull', (_, response) => {
        double.models = ['moved:latest'];
        response.end('{"status":"success"}\n');
      });
      const { status, json } = await pull('moved', { digest: DIGEST });
      expect(status).toBe(202);
      expect(await ended((json as unknown as { job: { id: string } }).job.id)).toMatchObject({
        event: 'error',
        data: { code: 'unprocessable', message: expect.stringContaining('another digest') },
      });
      expect(double.to('delete').at(-1)?.body).toEqual({ model: 'moved' });
      expect((await api.get('/api/v1/models/moved', admin.accessToken)).status).toBe(404);
    });

    it('is kept when they are the ones', async () => {
      weights(DIGEST);
      double.answers.set('pull', (_, response) => {
        double.models = ['pinned:latest'];
        response.end('{"status":"success"}\n');
      });
      const { json } = await pull('pinned', { digest: DIGEST });
      expect(await ended((json as unknown as { job: { id: string } }).job.id)).toMatchObject({ event: 'done', data: { digest: DIGEST } });
      expect((await api.get('/api/v1/models/pinned', admin.accessToken)).json).toMatchObject({ digest: DIGEST });
    });

    it('a file of the catalogue that is not the published one is not kept', async () => {
      const { download } = await loadScript<Downloads>('files/download.mjs');
      const wanted = randomBytes(1_000);
      canary.answer = (_request, response) => void response.end(randomBytes(1_000));
      const target = join(models, 'moved.gguf');
      const sha256 = createHash('sha256').update(wanted).digest('hex');
      const said = await download(`${canary.url}/moved.gguf`, target, { sha256, size: 1_000 }, { out: { write: () => true } }).then(
        () => 'kept',
        (error: unknown) => String(error),
      );
      expect(said).not.toBe('kept');
      expect(readdirSync(models).filter((name) => name === 'moved.gguf')).toEqual([]);
      canary.forget();
    });
  });

  describe('L01 what is brought here is not made here', () => {
    it("no route makes, pushes, copies or takes a model's file", async () => {
      const routes = api.app.get(RouteTable).routes.map(({ method, url }) => `${method} ${url}`);
      expect(routes.filter((route) => /create|push|copy|blob|upload|gguf|modelfile|\/api\/(?!v1\/)/iu.test(route))).toEqual([]);
      for (const path of [
        '/api/create',
        '/api/push',
        '/api/copy',
        '/api/blobs/sha256:00',
        '/api/pull',
        '/api/tags',
        '/api/generate',
        '/v1/api/create',
      ]) {
        for (const method of ['GET', 'POST', 'HEAD']) {
          const { status } = await api.request(path, { method, token: admin.accessToken });
          expect([method, path, status]).toEqual([method, path, 404]);
        }
      }
    });

    it('a file of weights is no document', async () => {
      const form = new FormData();
      form.append('file', new Blob([Buffer.concat([Buffer.from('GGUF\x03\0\0\0', 'latin1'), randomBytes(2_000)])]), 'model.gguf');
      const { status, json } = await api.post('/api/v1/documents', form, admin.accessToken);
      expect([status, json.code]).toEqual([415, 'unsupported_media_type']);
    });

    it('the client speaks of nothing else, in its sources and in all that it asked above', () => {
      const asked = [...new Set(double.calls.map(({ path }) => path))];
      expect(asked.filter((path) => !USED.includes(path))).toEqual([]);
      expect(asked).toEqual(expect.arrayContaining(['pull', 'delete', 'tags', 'show']));
      expect(
        sourcesWith(/['"`/](?:api\/)?(?:create|push|copy|blobs)['"`]/u).filter((path) => path.startsWith('libs/backing/ollama/')),
      ).toEqual([]);
      expect(
        sourcesWith(/path: '(?!(?:chat|delete|embed|generate|ps|pull|show|tags|version)')/u).filter((path) =>
          path.startsWith('libs/backing/ollama/'),
        ),
      ).toEqual([]);
    });
  });

  describe('L02 a page of a foreign site whose name leads here', () => {
    const asked = (host: string, path = '/api/v1/models', headers: Record<string, string> = {}): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const { hostname, port } = new URL(api.url);
        rawRequest({ host: hostname, port, path, headers: { ...headers, host } }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode));
        })
          .once('error', reject)
          .end();
      });

    it.each([
      'rebound.evil.test',
      'rebound.evil.test:80',
      'localhost.evil.test',
      '127.0.0.1.evil.test',
      '0.0.0.0',
      '169.254.169.254',
      'evil.test@127.0.0.1',
    ])('is refused by its Host %j, also with a token', async (host) => {
      for (const path of ['/api/v1/models', '/v1/models', '/docs', '/health'])
        expect([path, await asked(host, path, { authorization: `Bearer ${admin.accessToken}` })]).toEqual([path, 400]);
    });

    it('under our own name it is served', async () => {
      const { port } = new URL(api.url);
      expect(await asked(`127.0.0.1:${port}`, '/api/v1/models', { authorization: `Bearer ${admin.accessToken}` })).toBe(200);
      expect(await asked(`localhost:${port}`, '/health')).toBe(200);
    });
  });

  it('A23 what a registry answers through the server leads nowhere', async () => {
    const hostile = `{"error":"unauthorized: realm=\\"${canary.url}/token\\" scope=repository:a/b"}`;
    double.answers.set('pull', (_, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${canary.url}/token",service="evil"` }).end(hostile);
    });
    const { json } = await pull('hostile');
    const jobId = (json as unknown as { job: { id: string } }).job.id;
    writeFileSync(join(models, 'keep'), '');
    await api.post(`/api/v1/jobs/${jobId}/cancel`, undefined, admin.accessToken);
    const last = await ended(jobId);
    expect(['error', 'cancelled']).toContain(last?.event);
    expect(JSON.stringify(last)).not.toContain('realm');
  });
});
