import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { LlamaCppClient } from '@backing/llama-cpp';
import { CHAT, EMBEDDING, chatFile, describeModels, embeddingFile, modelSettings, openRuntime } from '../support/models';

const never = new AbortController().signal;

describeModels('the files of the built-in runtime', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sutazai-models-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('tells what is missing, by which command it comes, and finds it when it is there', async () => {
    const runtime = openRuntime({ directory });
    const states = (await runtime.models()).map(({ state, loaded }) => ({ state, loaded }));
    expect(new Set(states.map(({ state, loaded }) => `${state} ${loaded}`))).toEqual(new Set(['missing false']));
    await expect(runtime.load(CHAT, never)).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: expect.stringContaining('npm run models -- fetch'),
    });
    await expect(runtime.load('qwen3-0.6b', never)).rejects.toThrow('npm run models -- fetch qwen3-0.6b');
    await runtime.onApplicationShutdown();

    symlinkSync(embeddingFile, join(directory, basename(embeddingFile)));
    const second = openRuntime({ directory });
    const card = async () => (await second.models()).find(({ id }) => id === EMBEDDING);
    expect(await card()).toMatchObject({
      state: 'ready',
      loaded: false,
      sizeBytes: 46_345_696,
      embedding: { dimensions: 384, maxInputTokens: 256 },
    });
    await Promise.all([second.load(EMBEDDING, never), second.load(EMBEDDING, never)]);
    expect(await card()).toMatchObject({ state: 'ready', loaded: true });
    await second.onApplicationShutdown();
  });

  it('does not take half a file for the model, nor call a broken one ready after it failed', async () => {
    const path = join(directory, basename(embeddingFile));
    writeFileSync(path, 'GGUF');
    const half = openRuntime({ directory });
    expect((await half.models()).find(({ id }) => id === EMBEDDING)).toMatchObject({ state: 'missing' });
    truncateSync(path, 46_345_696);
    const broken = openRuntime({ directory });
    await expect(broken.load(EMBEDDING, never)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.not.stringContaining(directory),
    });
    expect((await broken.models()).find(({ id }) => id === EMBEDDING)).toMatchObject({ state: 'failed', loaded: false });
    await expect(broken.embed({ model: EMBEDDING, texts: ['a'], input: 'query', signal: never })).rejects.toMatchObject({
      code: 'unavailable',
    });
    await Promise.all([half.onApplicationShutdown(), broken.onApplicationShutdown()]);
  });

  it('is cancelled while it loads, and the next call gets the model', async () => {
    const runtime = openRuntime();
    const abort = new AbortController();
    const loading = runtime.load(CHAT, abort.signal);
    const other = runtime.load(CHAT, never);
    abort.abort();
    await expect(loading).rejects.toMatchObject({ code: 'cancelled' });
    await other;
    await runtime.onApplicationShutdown();
    await expect(runtime.load(CHAT, never)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('breaks the loading off, and loads again', async () => {
    const client = new LlamaCppClient(modelSettings());
    const abort = new AbortController();
    const loading = client.loadModel(chatFile, abort.signal);
    abort.abort(new Error('nobody waits'));
    await expect(loading).rejects.toThrow('nobody waits');
    expect((await client.loadModel(chatFile)).tokenize('tide', false).length).toBeGreaterThan(0);
    await client.close();
  });

  it('gives up loading at the cold deadline', async () => {
    const runtime = openRuntime({ coldSeconds: 0.001 });
    await expect(runtime.load(CHAT, never)).rejects.toMatchObject({ code: 'timeout', message: expect.stringContaining('Loading') });
    await runtime.onApplicationShutdown();
  });

  it('closes while an answer, a batch and a queue are in the making', async () => {
    const runtime = openRuntime();
    await runtime.warmUp();
    const chat = (maxTokens: number) =>
      (async () => {
        const turns = [{ role: 'user' as const, content: 'Tell me everything about the sea.' }];
        for await (const chunk of runtime.chat({ model: CHAT, turns, maxTokens, temperature: 0, signal: never })) void chunk;
      })();
    const texts = Array.from({ length: 500 }, (_, index) => `Passage ${index}`);
    const work = [chat(1_500), chat(1_500), runtime.embed({ model: EMBEDDING, texts, input: 'document', signal: never })];
    const results = Promise.allSettled(work);
    while (runtime.activity(CHAT).running < 1) await new Promise((resolve) => setImmediate(resolve));
    await runtime.onApplicationShutdown();
    for (const result of await results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  });

  it('reads the digest that a download recorded beside a file without a pinned one', async () => {
    symlinkSync(chatFile, join(directory, 'Qwen3-0.6B-Q8_0.gguf'));
    writeFileSync(join(directory, 'Qwen3-0.6B-Q8_0.gguf.sha256'), `${'ab'.repeat(32)}\n`);
    const runtime = openRuntime({ directory });
    expect((await runtime.models()).find(({ id }) => id === 'qwen3-0.6b')).toMatchObject({
      state: 'ready',
      digest: `sha256:${'ab'.repeat(32)}`,
    });
    await runtime.onApplicationShutdown();
  });
});
