import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Collections, Search } from '@features/vectors';
import { startApi, type Registered, type TestApi } from '../support/api';
import { DocumentsOf } from '../support/documents';
import { parseEvents } from '../support/events';
import { chatFile, embeddingFile, modelsDirectory } from '../support/models';
import { copyModel, describeOllama, OLLAMA_CHAT, startOwnOllama, type OwnOllama } from '../support/ollama';

const NOTES = [
  'The lighthouse of Grey Point was lit for the first time in 1886. Its lamp is 37 metres above the sea.',
  'Visitors climb 164 steps. The tower is open from May to September. Children under seven are not admitted.',
  'The keeper feeds two goats and repairs the fog horn every autumn.',
  'Die Übergabe der Schlüssel geschieht im Büro; die Prüfung dauert zwei Stunden.',
];
const QUESTIONS = ['How many steps do visitors climb?', 'Who repairs the fog horn?', 'Wie lange dauert die PRÜFUNG?'];
const LONG = 'Write a very long story about a harbour, with many details about each ship and its crew.';
/** A name that only Ollama has; ids are made of names. */
const CHAT = 'starter:ollama';

describeOllama('the server with OLLAMA_URL', () => {
  const empty = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));
  let ollama: OwnOllama;
  let api: TestApi;
  let person: Registered;
  let before: Ranking[];

  beforeAll(async () => {
    ollama = await startOwnOllama();
    await copyModel(ollama.url, OLLAMA_CHAT, CHAT);
    api = await startApi({ database: 'embedded' });
    person = await api.register();
    const documents = new DocumentsOf(api, person);
    for (const [index, text] of NOTES.entries()) await documents.ready(await documents.upload(text, `notes-${index}.txt`));
    before = await rankings();
  });
  afterAll(async () => {
    await api.close();
    await ollama.stop();
    rmSync(empty, { recursive: true, force: true });
  });

  /** What each question finds, with its scores. */
  const rankings = (): Promise<Ranking[]> =>
    Promise.all(
      QUESTIONS.map(async (query) => {
        const collections = await api.app.get(Collections, { strict: false }).resolve(person.workspaceId, ['default']);
        const account = { workspaceId: person.workspaceId, userId: person.userId, apiKeyId: null, jobId: null };
        const signal = AbortSignal.timeout(30_000);
        const found = await api.app.get(Search, { strict: false }).search({ collections, query, limit: 4, signal, account });
        return found.map(({ id, score, scores }) => ({ id, score, vector: scores.vector }));
      }),
    );
  const ask = async (content: string, options: object = {}): Promise<{ jobId: string; sessionId: string }> => {
    const session = await api.post('/api/v1/chat/sessions', { model: CHAT }, person.accessToken);
    const sessionId = String(session.json.id);
    const { status, json } = await api.post(`/api/v1/chat/sessions/${sessionId}/messages`, { content, options }, person.accessToken);
    expect(status).toBe(202);
    return { sessionId, jobId: (json as unknown as { job: { id: string } }).job.id };
  };
  const events = (jobId: string): Promise<Response> => api.fetch(`/api/v1/jobs/${jobId}/events`, { token: person.accessToken });
  const job = async (jobId: string): Promise<Record<string, unknown>> => (await api.get(`/api/v1/jobs/${jobId}`, person.accessToken)).json;
  const service = async (): Promise<Record<string, unknown>> => (await api.get('/api/v1/health/services/ollama', person.accessToken)).json;

  it('a collection made without it answers the same, served by the built-in model', async () => {
    expect(await service()).toMatchObject({ status: 'disabled' });
    await api.restart({ OLLAMA_URL: ollama.url });
    expect(await service()).toMatchObject({ status: 'up', required: false });
    const { json } = await api.get('/api/v1/models/all-minilm-l6-v2', person.accessToken);
    expect(json).toMatchObject({ runtime: 'llama.cpp', state: 'ready' });
    expect(await rankings()).toEqual(before);
  });

  it('lists the models of both', async () => {
    const { json } = await api.get('/api/v1/models?limit=100', person.accessToken);
    const models = (json as unknown as { data: { id: string; runtime: string; state: string }[] }).data;
    expect(models.find(({ id }) => id === CHAT)).toMatchObject({ runtime: 'ollama', state: 'ready' });
    expect(models.filter(({ id }) => id === 'smollm2-135m-instruct')).toMatchObject([{ runtime: 'llama.cpp' }]);
  });

  it('a model of Ollama answers piece by piece, and its use is accounted for', async () => {
    const { jobId } = await ask('Name three animals.', { max_tokens: 30, temperature: 0 });
    const all = await parseEvents(await events(jobId));
    const deltas = all.filter(({ event }) => event === 'delta');
    expect(deltas.length).toBeGreaterThan(1);
    const last = all.at(-1);
    expect(last).toMatchObject({ event: 'done', data: { model: CHAT, status: 'complete' } });
    expect(deltas.map(({ data }) => data.text).join('')).toBe(last?.data.content);
    expect(last?.data.usage).toMatchObject({ input_tokens: expect.any(Number), output_tokens: expect.any(Number) });
  });

  it('cancelling stops Ollama itself', async () => {
    const earlier = chatCalls(await ollama.log());
    const { jobId } = await ask(LONG, { max_tokens: 1_500 });
    await firstDelta(await events(jobId));
    expect((await api.post(`/api/v1/jobs/${jobId}/cancel`, undefined, person.accessToken)).status).toBe(200);
    // Ollama writes a line when it has left a request; the whole answer would take it longer than this test may.
    while (chatCalls(await ollama.log()) === earlier) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('a model that is nowhere is refused', async () => {
    const unknown = await api.post('/api/v1/chat/sessions', { model: 'nobody:1b' }, person.accessToken);
    expect([unknown.status, unknown.json.code]).toEqual([400, 'invalid']);
  });

  it('may serve what names no model', async () => {
    await api.restart({ CHAT_MODEL: CHAT, EMBEDDING_MODEL: 'all-minilm:l6-v2' });
    const session = await api.post('/api/v1/chat/sessions', {}, person.accessToken);
    const path = `/api/v1/chat/sessions/${String(session.json.id)}/messages?wait=50`;
    const answer = await api.post(path, { content: 'Hi', options: { max_tokens: 5 } }, person.accessToken);
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining(`"model":"${CHAT}"`)]);
    const documents = new DocumentsOf(api, person);
    expect(await documents.ready(await documents.upload('Ferries leave at nine.', 'ferries.txt'))).toMatchObject({ status: 'ready' });
    before = await rankings();
  });

  it('killed in the middle of an answer, it is retried: the rest of the platform does not notice, and the answer comes when it is back', async () => {
    const { jobId } = await ask(LONG, { max_tokens: 200, temperature: 0 });
    await firstDelta(await events(jobId));
    await ollama.kill();
    while ((await job(jobId)).status === 'running') await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await job(jobId)).toMatchObject({ status: 'queued' });
    // A look between requests may have found it up less than 2 s ago: that answer still serves everybody.
    while ((await service()).status !== 'down') await new Promise((resolve) => setTimeout(resolve, 50));
    const health = await api.get('/health');
    expect([health.status, health.json.status]).toEqual([200, 'degraded']);
    const { json } = await api.get(`/api/v1/models/${CHAT}`, person.accessToken);
    expect(json).toMatchObject({ state: 'unknown', loaded: false });
    expect(await rankings()).toEqual(before);
    const { json: session } = await api.post('/api/v1/chat/sessions', { model: CHAT }, person.accessToken);
    const refused = await api.post(`/api/v1/chat/sessions/${String(session.id)}/messages`, { content: 'Hi' }, person.accessToken);
    expect([refused.status, refused.json.code]).toEqual([503, 'unavailable']);
    await ollama.restart();
    const all = await parseEvents(await events(jobId));
    expect(all.map(({ event }) => event)).toContain('reset');
    expect(all.at(-1)).toMatchObject({ event: 'done', data: { status: 'complete' } });
  });

  it('without the built-in file the same model on Ollama goes on with the collection', async () => {
    await api.restart({ MODELS_DIR: empty });
    const { json } = await api.get('/api/v1/models/all-minilm-l6-v2', person.accessToken);
    expect(json).toMatchObject({ runtime: 'ollama', state: 'ready' });
    const after = await rankings();
    expect(after.map((found) => found.map(({ id }) => id))).toEqual(before.map((found) => found.map(({ id }) => id)));
    for (const [index, found] of after.entries())
      for (const [at, { vector }] of found.entries()) expect(vector).toBeCloseTo(before[index]?.[at]?.vector ?? NaN, 2);
    await api.restart({ MODELS_DIR: modelsDirectory });
    expect([chatFile, embeddingFile].every((file) => file.startsWith(modelsDirectory))).toBe(true);
  });
});

interface Ranking extends Array<{ id: string; score: number; vector: number | null }> {}

/** Finished calls of `/api/chat` in Ollama's log. */
function chatCalls(log: string): number {
  return log.split('\n').filter((line) => line.includes('POST') && line.includes('"/api/chat"')).length;
}

async function firstDelta(response: Response): Promise<void> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  for (let text = ''; !text.includes('event: delta'); ) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The stream ended before the first piece of the answer: ${text}`);
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
}
