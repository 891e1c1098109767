import { LlamaCppClient, type LlamaCppRuntime } from '@backing/llama-cpp';
import { CHAT, EMBEDDING, chatFile, describeModels, embeddingFile, modelSettings, openRuntime } from '../support/models';
import { countNativeWork } from '../support/native-work';
import { turnsDuring } from '../support/turns';

const never = new AbortController().signal;
const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, index) => sum + value * (b[index] ?? NaN), 0);

describeModels('embeddings of the built-in runtime', () => {
  let runtime: LlamaCppRuntime;
  const embed = async (...texts: string[]) => (await runtime.embed({ model: EMBEDDING, texts, input: 'document', signal: never })).vectors;
  const count = async (text: string) => (await runtime.countTokens(EMBEDDING, [text], never))[0];
  beforeAll(() => {
    runtime = openRuntime();
  });
  afterAll(() => runtime.onApplicationShutdown());

  it('tells related sentences from unrelated ones', async () => {
    const [crane, lifting, soup, question, answer] = await embed(
      'The crane in the harbour lifts nine tonnes.',
      'Loads of up to nine tonnes can be lifted by the port crane.',
      'Simmer the lentils with onions and cumin.',
      'How many days of annual leave do I have?',
      'Employees are entitled to thirty days of annual leave.',
    );
    expect(cosine(crane!, lifting!)).toBeGreaterThan(0.5);
    expect(cosine(question!, answer!)).toBeGreaterThan(0.4);
    expect(cosine(crane!, soup!)).toBeLessThan(0.15);
    expect(cosine(answer!, soup!)).toBeLessThan(0.15);
  });

  it('gives unit vectors, the same each time, alone or in company', async () => {
    const texts = ['a', '', ' ', 'Ärger', '日本語', '\uE000', 'x'.repeat(5_000), '🦊'.repeat(100)];
    const together = await embed(...texts);
    for (const vector of together) {
      expect(vector).toHaveLength(384);
      expect(Math.abs(Math.sqrt(cosine(vector, vector)) - 1)).toBeLessThan(1e-6);
    }
    const [alone] = await embed('Ärger');
    expect(cosine(alone!, together[3]!)).toBeGreaterThan(0.999999);
  });

  it('reads texts as the uncased model does: case and marks make no difference', async () => {
    const [decorated, plain, decomposed] = await embed('ÉLÈVES À MÜNCHEN', 'eleves a munchen', 'Élèves à München'.normalize('NFD'));
    expect(cosine(decorated!, plain!)).toBeGreaterThan(0.999999);
    expect(cosine(decomposed!, plain!)).toBeGreaterThan(0.999999);
  });

  it('counts tokens exactly, without special tokens', async () => {
    expect(await count('')).toBe(0);
    expect(await count('hello world')).toBe(2);
    expect(await count('[CLS]')).toBe(4);
    expect(await count('Ä')).toBe(1);
    expect(await count('日本語')).toBe(3);
    expect(await count(`see ${'x'.repeat(101)} there`)).toBe(3);
    const { inputTokens } = await runtime.embed({ model: EMBEDDING, texts: ['hello world'], input: 'query', signal: never });
    expect(inputTokens).toBe(4);
  });

  it('refuses a text over the limit and names it', async () => {
    const word = 'tide ';
    expect(await count(word.repeat(256))).toBe(256);
    await expect(embed(word.repeat(256))).resolves.toHaveLength(1);
    await expect(embed('short', word.repeat(257))).rejects.toMatchObject({
      code: 'context_length_exceeded',
      errors: [{ path: 'texts[1]', message: expect.stringContaining('257') }],
    });
  });

  it('stops when it is cancelled', async () => {
    const abort = new AbortController();
    const texts = Array.from({ length: 200 }, (_, index) => `Passage ${index} about the harbour.`);
    const onTokens = (): void => abort.abort();
    const running = runtime.embed({ model: EMBEDDING, texts, input: 'document', signal: abort.signal, onTokens });
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(runtime.activity(EMBEDDING)).toMatchObject({ running: 0, queued: 0 });
  });

  it('begins no other text of a batch once it is cancelled, and is at work until the begun one is over', async () => {
    const native = countNativeWork();
    const own = openRuntime();
    await own.load(EMBEDDING, never);
    const abort = new AbortController();
    native.onText = () => abort.abort();
    const running = own.embed({ model: EMBEDDING, texts: ['one', 'two', 'three', 'four'], input: 'document', signal: abort.signal });
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(own.activity(EMBEDDING)).toMatchObject({ running: 1 });
    while (own.activity(EMBEDDING).running > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(native.texts).toBe(1);
    await own.onApplicationShutdown();
    jest.restoreAllMocks();
  });

  it('counts a long text in parts as it would count the whole', async () => {
    const text = "The pump (no. 4711) can't lift 40.5 kg, so  two people\t-- or 3 --\ncarry it; 日本語の文。 Ünlü 🦊 words. ".repeat(400);
    const client = new LlamaCppClient(modelSettings());
    const ascii = text.replace(/[^\x00-\x7f]/g, '').toLowerCase();
    const whole = (await client.loadModel(embeddingFile)).tokenize(ascii, false).length;
    expect(await count(ascii)).toBe(whole);
    const bytePairs = (await client.loadModel(chatFile)).tokenize(text, false).length;
    expect(await runtime.countTokens(CHAT, [text], never)).toEqual([bytePairs]);
    await client.close();
  });

  it('counts 1,000 pages and lets other work go on meanwhile', async () => {
    const page = 'The pump is made of steel and weighs 40 kilos, so two people carry it. '.repeat(42);
    const [one] = await runtime.countTokens(EMBEDDING, [page], never);
    const { turns, result } = await turnsDuring(() => runtime.countTokens(EMBEDDING, [page.repeat(1_000)], never));
    expect(result[0]).toBe((one ?? NaN) * 1_000);
    expect(turns).toBeGreaterThan(10);
  });
});
