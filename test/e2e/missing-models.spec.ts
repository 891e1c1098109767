import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApi, type Registered, type TestApi } from '../support/api';
import { CHAT, EMBEDDING } from '../support/models';

describe('a server without model files', () => {
  const models = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));
  let api: TestApi;
  let me: Registered;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { MODELS_DIR: models } });
    me = await api.register();
  });
  afterAll(async () => {
    await api.close();
    rmSync(models, { recursive: true, force: true });
  });

  it('is ready and says that they are missing', async () => {
    expect((await api.request('/readyz')).status).toBe(200);
    for (const id of [CHAT, EMBEDDING]) {
      expect((await api.get(`/api/v1/models/${id}`, me.accessToken)).json).toMatchObject({ state: 'missing', loaded: false });
    }
  });

  it('answers a question by 503 with the command that mends it, and stores nothing', async () => {
    const session = await api.request('/api/v1/chat/sessions', { method: 'POST', token: me.accessToken, body: {} });
    const path = `/api/v1/chat/sessions/${String(session.json.id)}/messages`;
    const answer = await api.request(path, { method: 'POST', token: me.accessToken, body: { content: 'Who are you?' } });
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({ code: 'unavailable', detail: expect.stringContaining('npm run models -- fetch') });
    expect((await api.get(path, me.accessToken)).json.data).toEqual([]);
  });

  it('ends an ingest as failed with the same command, and leaves nothing visible', async () => {
    const body = { name: 'notes.txt', text: 'The harbour opens at six.' };
    const accepted = await api.request('/api/v1/documents', { method: 'POST', token: me.accessToken, body });
    expect(accepted.status).toBe(202);
    const { document, job } = accepted.json as unknown as { document: { id: string }; job: { id: string } };
    const events = await (await api.fetch(`/api/v1/jobs/${job.id}/events`, { token: me.accessToken })).text();
    expect(events).toContain('event: error');
    const failed = { code: 'unavailable', message: expect.stringContaining('npm run models -- fetch') };
    expect((await api.get(`/api/v1/jobs/${job.id}`, me.accessToken)).json).toMatchObject({ status: 'failed', attempt: 1, error: failed });
    expect((await api.get(`/api/v1/documents/${document.id}`, me.accessToken)).json).toMatchObject({ status: 'failed', chunks: 0 });
  });
});
