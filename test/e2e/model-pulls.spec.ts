import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { startApi, type Registered, type TestApi } from '../support/api';
import { parseEvents } from '../support/events';
import { chatFile, embeddingFile } from '../support/models';
import { copyModel, describeOllama, OLLAMA_EMBEDDING, startOwnOllama, type OwnOllama } from '../support/ollama';
import { OllamaDouble } from '../support/ollama-double';

const DIGESTS = ['a', 'b'].map((letter) => `sha256:${letter.repeat(64)}`);
const part = (digest: string | undefined, total: number, completed: number): object => ({ status: 'pulling', digest, total, completed });

interface Accepted {
  model: { id: string; license: string; runtime: string };
  job: { id: string; kind: string };
}

describe('pulling models', () => {
  let double: OllamaDouble;
  let api: TestApi;
  let admin: Registered;
  // Only links lie here: whatever is deleted, the files stay.
  const models = mkdtempSync(join(tmpdir(), 'sutazai-links-'));
  beforeAll(async () => {
    for (const file of [chatFile, embeddingFile]) if (existsSync(file)) symlinkSync(file, join(models, basename(file)));
    double = await OllamaDouble.start();
    api = await startApi({
      database: 'embedded',
      env: { OLLAMA_URL: double.url, MODEL_ALLOW: 'tiny:*', AUTH_REGISTRATION: 'open', MODELS_DIR: models },
    });
    admin = await api.register();
  });
  afterAll(async () => {
    await api.close();
    await double.close();
    rmSync(models, { recursive: true, force: true });
  });
  const pull = (name: unknown, token = admin.accessToken) => api.post('/api/v1/models', { name }, token);
  const events = async (jobId: string) => parseEvents(await api.fetch(`/api/v1/jobs/${jobId}/events`, { token: admin.accessToken }));

  it('is a job with progress in bytes; the licence is shown', async () => {
    double.answers.set('pull', (_, response) => {
      double.models = ['qwen3:8b'];
      const lines = [{ status: 'pulling manifest' }, part(DIGESTS[0], 900, 0), part(DIGESTS[0], 900, 900), part(DIGESTS[1], 100, 100)];
      response.end([...lines, { status: 'success' }].map((line) => `${JSON.stringify(line)}\n`).join(''));
    });
    const answer = await pull('qwen3-8b');
    expect([answer.status, answer.text]).toEqual([202, expect.any(String)]);
    const { model, job } = answer.json as unknown as Accepted;
    expect(model).toMatchObject({ id: 'qwen3-8b', name: 'qwen3:8b', runtime: 'ollama', license: 'Apache-2.0' });
    expect([job.kind, answer.headers.get('location')]).toEqual(['models.pull', `/api/v1/jobs/${job.id}`]);
    const all = await events(job.id);
    const progress = all.filter(({ event }) => event === 'progress').map(({ data }) => data);
    expect(progress.at(-1)).toMatchObject({ done: 1_000, total: 1_000, unit: 'bytes' });
    expect(all.at(-1)).toMatchObject({ event: 'done', data: { model: 'qwen3-8b', bytes: 1_000 } });
    expect(double.to('pull').at(-1)?.body).toEqual({ model: 'qwen3:8b', stream: true });
    const { json } = await api.get('/api/v1/models/qwen3-8b', admin.accessToken);
    expect(json).toMatchObject({ state: 'ready', runtime: 'ollama' });
  });

  it('goes on at another attempt when the stream breaks off; a second request names the job that runs; it can be cancelled', async () => {
    double.lines('pull', [part(DIGESTS[0], 900, 300)], 'stall');
    const { job } = (await pull('tiny:1b')).json as unknown as Accepted;
    while (double.to('pull').at(-1)?.body.model !== 'tiny:1b') await new Promise((resolve) => setTimeout(resolve, 5));
    const second = await pull('tiny:1b');
    expect([second.status, second.json]).toEqual([409, expect.objectContaining({ code: 'conflict', job_id: job.id })]);
    expect((await api.delete('/api/v1/models/tiny:1b', admin.accessToken)).status).toBe(404);
    expect((await api.post(`/api/v1/jobs/${job.id}/cancel`, undefined, admin.accessToken)).status).toBe(200);
    expect((await events(job.id)).at(-1)?.event).toBe('cancelled');
    const before = double.to('pull').length;
    double.answers.set('pull', (_, response) => {
      if (double.to('pull').length === before + 1) return void response.end(`${JSON.stringify(part(DIGESTS[0], 900, 500))}\n`);
      response.end(`${JSON.stringify(part(DIGESTS[0], 900, 900))}\n{"status":"success"}\n`);
    });
    const again = await api.post(`/api/v1/jobs/${job.id}/retry`, undefined, admin.accessToken);
    expect(again.status).toBe(202);
    const all = await events(String(again.json.id));
    expect(all.filter(({ event }) => event === 'started')).toHaveLength(2);
    expect(all.at(-1)?.event).toBe('done');
  });

  it('a model that the registry has not got ends the job without another attempt', async () => {
    double.lines('pull', [{ status: 'pulling manifest' }, { error: 'pull model manifest: file does not exist' }]);
    const { job } = (await pull('tiny:none')).json as unknown as Accepted;
    expect((await events(job.id)).at(-1)).toMatchObject({ event: 'error', data: { code: 'unprocessable', retryable: false } });
  });

  it.each([
    ['llama3:8b', 403, 'forbidden'],
    ['evil.example/a/b', 403, 'forbidden'],
    ['../../x', 400, 'invalid'],
    ['', 400, 'invalid'],
    [7, 400, 'invalid'],
  ])('refuses %j with %i', async (name, status, code) => {
    const before = double.to('pull').length;
    const answer = await pull(name);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(double.to('pull')).toHaveLength(before);
  });

  it('is for instance admins, who hold the scope', async () => {
    const other = await api.register('second@example.org');
    expect((await pull('qwen3-8b', other.accessToken)).status).toBe(403);
    expect((await pull('qwen3-8b', await api.key(admin.accessToken, ['models:read']))).status).toBe(403);
    expect((await api.delete('/api/v1/models/qwen3-8b', other.accessToken)).status).toBe(403);
  });

  it('a licence that is not accepted, and a default, stop it', async () => {
    const refused = await api.post('/api/v1/models', { name: 'qwen3-8b', accept_license: false }, admin.accessToken);
    expect([refused.status, refused.json.code]).toEqual([422, 'unprocessable']);
    const kept = await api.delete('/api/v1/models/all-minilm-l6-v2', admin.accessToken);
    expect([kept.status, kept.json.code]).toEqual([409, 'conflict']);
    expect((await api.delete('/api/v1/models/nobody', admin.accessToken)).status).toBe(404);
  });

  it('is written down when it has come, and when it goes', async () => {
    double.answers.set('delete', (_, response) => {
      double.models = [];
      response.end();
    });
    expect((await api.delete('/api/v1/models/qwen3-8b', admin.accessToken)).status).toBe(204);
    const entries = async (action: string) =>
      (await api.get(`/api/v1/audit?scope=instance&action=${action}`, admin.accessToken)).json.data as unknown as object[];
    const entry = { workspace_id: null, actor: { user_id: admin.userId, key_id: null }, subject: { kind: 'model', id: 'qwen3-8b' } };
    expect(await entries('model.deleted')).toMatchObject([entry]);
    expect(await entries('model.pulled')).toContainEqual(expect.objectContaining(entry));
  });

  describeOllama('on a real Ollama', () => {
    let ollama: OwnOllama;
    beforeAll(async () => {
      ollama = await startOwnOllama();
      await copyModel(ollama.url, OLLAMA_EMBEDDING, 'spare:1');
      await api.restart({ OLLAMA_URL: ollama.url });
    });
    afterAll(() => ollama.stop());

    it('removes a model', async () => {
      expect((await api.get('/api/v1/models/spare:1', admin.accessToken)).json).toMatchObject({ state: 'ready' });
      expect((await api.delete('/api/v1/models/spare:1', admin.accessToken)).status).toBe(204);
      expect((await api.get('/api/v1/models/spare:1', admin.accessToken)).status).toBe(404);
    });

    it('a registry that cannot be reached is tried again later', async () => {
      const { job } = (await pull('tiny:2b')).json as unknown as Accepted;
      let seen: Record<string, unknown> = {};
      while (seen.retry_at === undefined && seen.status !== 'failed') {
        seen = (await api.get(`/api/v1/jobs/${job.id}`, admin.accessToken)).json;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(seen).toMatchObject({ status: 'queued' });
      expect((await api.post(`/api/v1/jobs/${job.id}/cancel`, undefined, admin.accessToken)).status).toBe(200);
    });
  });
});
