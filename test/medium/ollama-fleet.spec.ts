import type { ServerResponse } from 'node:http';
import { GuardedRuntime, type SpaceFingerprints } from '@features/models';
import { AppError } from '@kernel/errors';
import type { ModelCard } from '@kernel/models';
import { openOllama, type OllamaRig } from '../support/ollama';
import { OllamaDouble, type RecordedCall } from '../support/ollama-double';

const never = new AbortController().signal;
const DONE = { message: { content: '' }, done: true, done_reason: 'stop', prompt_eval_count: 20, eval_count: 2 };
const say = (content: string): object => ({ message: { role: 'assistant', content }, done: false });
const MODEL = 'odd:1b';
const fail = (status: number, error: string) => (_: RecordedCall, response: ServerResponse) =>
  void response.writeHead(status).end(JSON.stringify({ error }));

/** What servers do that real ones do not do on demand; the real ones are in test/services. */
describe('several Ollama servers', () => {
  let doubles: OllamaDouble[];
  let rig: OllamaRig;
  const start = async (count = 2): Promise<void> => {
    doubles = await Promise.all(Array.from({ length: count }, () => OllamaDouble.start()));
    for (const [at, double] of doubles.entries()) {
      double.models = [MODEL];
      double.lines('chat', [say(`from ${at}`), DONE]);
    }
    rig = openOllama(
      doubles.map(({ url }) => url),
      // Only the server that never answers is waited for so long.
      { coldSeconds: 2, firstTokenSeconds: 2, idleSeconds: 2 },
    );
  };
  beforeEach(() => start());
  afterEach(async () => {
    await rig.client.onApplicationShutdown();
    for (const double of doubles) await double.close();
  });
  const double = (at: number): OllamaDouble => doubles[at]!;
  const chat = async (model = MODEL, signal = never): Promise<string> => {
    let text = '';
    const turns = [{ role: 'user' as const, content: 'Hello there' }];
    for await (const chunk of rig.runtime.chat({ model, turns, maxTokens: 10, temperature: 0, signal }))
      if (chunk.type === 'text') text += chunk.text;
    return text;
  };
  const chats = (count: number): Promise<string[]> => Promise.all(Array.from({ length: count }, () => chat()));
  const loadedOn = (at: number): void =>
    void double(at).answers.set('ps', (_, response) => response.end(JSON.stringify({ models: [{ name: MODEL }] })));
  const weightsOf = (at: number, digest: string): void =>
    void double(at).answers.set('show', (_, response) => {
      const info = { 'general.architecture': 'bert', 'bert.context_length': 512, 'bert.embedding_length': 2, 'bert.pooling_type': 1 };
      response.end(JSON.stringify({ modelfile: `FROM /x/sha256-${digest.repeat(64)}\n`, capabilities: ['embedding'], model_info: info }));
    });

  it('the one with the model in memory is asked first, and the other when it is busy', async () => {
    loadedOn(1);
    expect(await chat()).toBe('from 1');
    expect((await chats(4)).sort()).toEqual(['from 0', 'from 1', 'from 1', 'from 1']);
  });

  it('servers that are alike share the calls', async () => {
    expect((await chats(10)).filter((text) => text === 'from 0')).toHaveLength(5);
  });

  it.each([
    ['busy', fail(503, 'server busy, please try again.')],
    ['failing', fail(500, 'llama runner process has terminated')],
    ['out of memory', fail(500, 'model requires more system memory')],
    ['without the model', fail(404, "model 'odd:1b' not found")],
    ['late', () => undefined],
    ['gone', (_: RecordedCall, response: ServerResponse) => void response.destroy()],
  ])('one that is %s is followed by the other, before the first token', async (_, answer) => {
    loadedOn(0);
    double(0).answers.set('chat', answer);
    expect(await chat()).toBe('from 1');
    expect(double(0).to('chat')).toHaveLength(1);
  });

  it('one that keeps failing is not asked any more, though the other is as busy', async () => {
    double(0).models.push('other:1b');
    loadedOn(0);
    double(0).answers.set('chat', fail(500, 'llama runner process has terminated'));
    // Servers that are alike are chosen between by lot.
    for (let time = 0; time < 60 && double(0).to('chat').length < 3; time++) expect(await chat()).toBe('from 1');
    for (let time = 0; time < 5; time++) expect(await chat()).toBe('from 1');
    expect(double(0).to('chat')).toHaveLength(3);
    // The breaker is that of one server: the other's is closed.
    double(1).lines('chat', [say('begun')], 'break');
    await expect(chat()).rejects.toMatchObject({ message: expect.stringContaining('broke off') });
    double(1).lines('chat', [say('from 1'), DONE]);
    expect(await chat()).toBe('from 1');
    expect(double(0).to('chat')).toHaveLength(3);
    // And of one model: what else the server has goes on.
    double(0).lines('chat', [say('from 0'), DONE]);
    expect(await chat('other:1b')).toBe('from 0');
    expect(await chat()).toBe('from 1');
  });

  it('work on as many calls as all that have the model together', async () => {
    expect(rig.runtime.parallel(MODEL)).toBe(4);
    await rig.runtime.models();
    expect(rig.runtime.parallel(MODEL)).toBe(8);
    await double(0).close();
    rig.runtime.refresh();
    await rig.runtime.models();
    expect(rig.runtime.parallel(MODEL)).toBe(4);
  });

  it('a cancel is heard while another one is looked for', async () => {
    loadedOn(0);
    const abort = new AbortController();
    const asked = new Promise<ServerResponse>((resolve) =>
      double(0).answers.set('chat', (_, response) => {
        for (const at of [0, 1]) double(at).answers.set('tags', (__, silent) => resolve(silent));
        rig.runtime.refresh();
        response.writeHead(500).end(JSON.stringify({ error: 'llama runner process has terminated' }));
      }),
    );
    const running = chat(MODEL, abort.signal).catch((error: unknown) => error);
    await asked;
    abort.abort(new Error('enough'));
    expect(await running).toMatchObject({ code: 'cancelled' });
  });

  it('after the first token the failure is the answer', async () => {
    loadedOn(0);
    double(0).lines('chat', [say('begun')], 'break');
    await expect(chat()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('broke off') });
    expect(double(1).to('chat')).toHaveLength(0);
  });

  it('what is refused for what it says is asked nowhere else', async () => {
    for (const at of [0, 1]) double(at).answers.set('chat', fail(400, 'does not support tools'));
    await expect(chat()).rejects.toMatchObject({ code: 'invalid' });
    expect(doubles.flatMap((one) => one.to('chat'))).toHaveLength(1);
  });

  it('when all are busy, that is what is said', async () => {
    for (const at of [0, 1]) double(at).answers.set('chat', fail(503, 'server busy'));
    await expect(chat()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
    expect(doubles.flatMap((one) => one.to('chat'))).toHaveLength(2);
  });

  it('its models are those of all; one is ready while any that answers has it, loaded when any has it loaded', async () => {
    double(1).models = [MODEL, 'second:1b'];
    loadedOn(1);
    expect(await rig.runtime.models()).toMatchObject([
      { id: MODEL, state: 'ready', loaded: true },
      { id: 'second:1b', state: 'ready', loaded: false },
    ]);
    await double(1).close();
    rig.runtime.refresh();
    expect(await rig.runtime.models()).toMatchObject([
      { id: MODEL, state: 'ready', loaded: false },
      { id: 'second:1b', state: 'unknown' },
    ]);
    expect(await rig.runtime.reachable()).toBe(false);
  });

  it('vectors of one call are made by one set of weights, and by those of the space', async () => {
    for (const [at, digest] of ['a', 'b'].entries()) {
      weightsOf(at, digest);
      double(at).answers.set('embed', ({ body }, response) => {
        const embeddings = (body.input as string[]).map(() => [at, 1]);
        response.end(JSON.stringify({ embeddings, prompt_eval_count: 1_000 }));
      });
    }
    const texts = Array.from({ length: 20 }, (_, at) => `text ${at}`);
    const request = { model: MODEL, texts, input: 'document' as const, signal: never };
    const { vectors } = await rig.runtime.embed(request);
    expect(new Set(vectors.map(([first]) => first))).toEqual(new Set([0]));
    // The first server is silent about the second's weights, and the space was made with those.
    const belongs = ({ weights }: ModelCard): boolean => weights === `sha256:${'b'.repeat(64)}`;
    const fingerprints = {
      agrees: () => false,
      check: async (card: ModelCard) => {
        if (!belongs(card)) throw new AppError('conflict', 'other vectors');
      },
    } as unknown as SpaceFingerprints;
    const guarded = new GuardedRuntime(rig.runtime, fingerprints, { now: async () => new Set() });
    const { vectors: ours } = await guarded.embed(request);
    expect(ours.every(([first]) => first !== 0)).toBe(true);
    await double(1).close();
    await expect(guarded.embed(request)).rejects.toMatchObject({ code: 'unavailable' });
    // Also when it is known that they are away: the others are not taken in their place.
    rig.runtime.refresh();
    await expect(guarded.embed(request)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('a batch that fails is made by the other server', async () => {
    for (const at of [0, 1]) weightsOf(at, 'a');
    const made = (_: RecordedCall, response: ServerResponse): void =>
      void response.end(JSON.stringify({ embeddings: [[3, 4]], prompt_eval_count: 1_000 }));
    let first = true;
    for (const at of [0, 1])
      double(at).answers.set('embed', (call, response) => {
        if (first) response.destroy();
        else made(call, response);
        first = false;
      });
    const { vectors } = await rig.runtime.embed({ model: MODEL, texts: ['one'], input: 'query', signal: never });
    expect(vectors.map((vector) => [...vector].map((value) => value.toFixed(1)))).toEqual([['0.6', '0.8']]);
  });
});
