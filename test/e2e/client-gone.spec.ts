import { connect, type Socket } from 'node:net';
import { startApi, type Registered, type TestApi } from '../support/api';
import { DocumentsOf } from '../support/documents';
import { RECORDED_CHAT, RECORDED_EMBEDDING, startRecording, type RecordedRequest, type RecordingOllama } from '../support/recording-ollama';
import { until } from '../support/until';

const messages = [{ role: 'user', content: 'Tell me a story.' }];
const chat = { model: RECORDED_CHAT, messages };
const completion = { model: RECORDED_CHAT, prompt: 'Once upon a time', max_tokens: 100 };

/** The model is a recording upstream, which ends nothing by itself: a connection that is closed was closed for its client. */
describe('The model of a client that goes away', () => {
  let upstream: RecordingOllama;
  let api: TestApi;
  let me: Registered;
  beforeAll(async () => {
    upstream = await startRecording();
    const models = { OLLAMA_URL: upstream.url, CHAT_MODEL: RECORDED_CHAT, EMBEDDING_MODEL: RECORDED_EMBEDDING };
    api = await startApi({ database: 'embedded', env: { ...models, RATE_LIMIT_PER_MINUTE: '10000' } });
    me = await api.register();
    upstream.plan = { embed: (request) => request.embed() };
    const documents = new DocumentsOf(api, me);
    await documents.ready(await documents.upload('The night ferry leaves at 22:40.'));
  });
  beforeEach(() => upstream.reset());
  afterAll(async () => {
    await api.close();
    await upstream.close();
  });

  const left = async (request: RecordedRequest): Promise<void> => {
    await request.closed;
    expect(request.finished).toBe(false);
  };
  const running = async (): Promise<unknown> => {
    const { json } = await api.get(`/api/v1/models/${RECORDED_CHAT}`, me.accessToken);
    return [json.running, json.queued];
  };

  it.each([
    ['chat', '/v1/chat/completions', { ...chat, stream: true }],
    ['chat', '/v1/chat/completions', chat],
    ['generate', '/v1/completions', { ...completion, stream: true }],
    ['generate', '/v1/completions', completion],
    ['embed', '/v1/embeddings', { model: RECORDED_EMBEDDING, input: ['a', 'b'] }],
    ['embed', '/api/v1/search', { query: 'ferry', collections: ['default'] }],
  ])('is stopped before it has said anything (%s of %s)', async (path, address, body) => {
    const gone = new AbortController();
    const answer = api.fetch(address, { method: 'POST', token: me.accessToken, body }, gone.signal);
    const request = await upstream.next(path);
    gone.abort();
    await expect(answer).rejects.toThrow(/abort/iu);
    await left(request);
    await until(async () => String(await running()) === '0,0');
    expect(upstream.requests).toHaveLength(1);
  });

  it.each([
    ['chat', '/v1/chat/completions', { ...chat, stream: true }],
    ['generate', '/v1/completions', { ...completion, stream: true }],
  ])('is stopped in the middle of its stream (%s of %s)', async (path, address, body) => {
    const gone = new AbortController();
    const answered = api.fetch(address, { method: 'POST', token: me.accessToken, body }, gone.signal);
    const request = await upstream.next(path);
    request.token('Once ');
    const reader = (await answered).body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(Buffer.from(value ?? []).toString()).toContain('Once ');
    gone.abort();
    await left(request);
    expect(request.tokens).toBe(1);
  });

  it('is stopped in the middle of an answer that is sent as a whole', async () => {
    const gone = new AbortController();
    const answer = api.fetch('/v1/chat/completions', { method: 'POST', token: me.accessToken, body: chat }, gone.signal);
    const request = await upstream.next('chat');
    request.token();
    await until(async () => String(await running()) === '1,0');
    gone.abort();
    await expect(answer).rejects.toThrow(/abort/iu);
    await left(request);
  });

  it.each(['end', 'destroy'] as const)('is stopped when the socket alone goes (%s)', async (how) => {
    const body = JSON.stringify({ ...chat, stream: true });
    const socket = await connected(new URL(api.url));
    const headers = ['POST /v1/chat/completions HTTP/1.1', 'host: 127.0.0.1', `authorization: Bearer ${me.accessToken}`];
    headers.push('content-type: application/json', `content-length: ${Buffer.byteLength(body)}`);
    socket.write(`${headers.join('\r\n')}\r\n\r\n${body}`);
    const request = await upstream.next('chat');
    socket[how]();
    await left(request);
  });
});

function connected({ hostname, port }: URL): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => resolve(socket));
    socket.on('error', () => undefined);
  });
}
