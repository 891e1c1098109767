import type { ChatChunk, ChatRequest, ChatTurn } from '@kernel/models';
import { describeModels, CHAT, EMBEDDING, openRuntime } from '../support/models';
import { describeOllama, openOllama, type OllamaRig } from '../support/ollama';

const never = new AbortController().signal;
const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, index) => sum + value * (b[index] ?? NaN), 0);
const LONG = 'Write a very long story about a harbour, with many details about each ship.';

/** Texts of many scripts and shapes, for counts. */
const TEXTS = [
  'The pump is made of steel and weighs 40 kilos, so two people carry it.',
  "It's 2024-11-05; we'll pay €1,234.56 (net) -- don't worry!!! #tag @user http://example.com/a/b?c=d&e=f",
  'Über den Wolken muss die Freiheit wohl grenzenlos sein; Straße, Maß, Äpfel.',
  'Żółć, gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy. Đặng Thị Ngọc Thịnh.',
  'Съешь же ещё этих мягких французских булок, да выпей чаю.',
  'Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.',
  '日本語の文章です。漢字とひらがなとカタカナ。今日は天気がいい。',
  '天地玄黃，宇宙洪荒。我们今天去公园散步，天气很好。',
  '키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.',
  'نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر',
  'ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश',
  'เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน',
  'function fooBar(x) {\n\tif (x !== 0) { return x**2; }\n\n\n    return null; // HTTPServerError\n}',
  '| a | b |\n|---|---|\n| 1 | 22 |\r\n\r\n\t\t  trailing   ',
  '🦊🚀👩‍👩‍👧‍👦 emoji ♥ ∑∫√ ½ ²',
  'x'.repeat(300),
  'aB'.repeat(50),
  ' leading',
  '<|im_start|> <|im_end|> [CLS] ##ing',
];

describeOllama('the Ollama runtime', (url) => {
  let rig: OllamaRig;
  const chat = (content: string, given: Partial<ChatRequest> = {}): AsyncIterable<ChatChunk> =>
    rig.runtime.chat({ model: CHAT, turns: [{ role: 'user', content }], maxTokens: 24, temperature: 0, signal: never, ...given });
  beforeAll(() => {
    rig = openOllama(url);
  });
  afterAll(() => rig.client.onApplicationShutdown());

  it('lists the models of the server under the slugs of the catalogue', async () => {
    const cards = await rig.runtime.models();
    expect(cards.find(({ id }) => id === CHAT)).toMatchObject({
      kind: 'chat',
      runtime: 'ollama',
      state: 'ready',
      grade: 'starter',
      contextLength: 2048,
      digest: 'sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
      capabilities: ['chat', 'completion', 'json_schema'],
    });
    expect(cards.find(({ id }) => id === EMBEDDING)).toMatchObject({
      kind: 'embedding',
      license: 'Apache-2.0',
      embedding: { dimensions: 384, maxInputTokens: 256, pooling: 'mean' },
    });
  });

  it('streams an answer piece by piece and ends with exact counts', async () => {
    const counts: number[][] = [];
    const chunks = await collect(chat('Name three animals.', { onTokens: (...both) => counts.push(both) }));
    const end = chunks.at(-1);
    const texts = chunks.filter(({ type }) => type === 'text');
    expect(texts.length).toBeGreaterThan(5);
    expect(end).toMatchObject({ type: 'end', finishReason: 'length', outputTokens: 24 });
    expect(counts.at(-1)).toEqual(end?.type === 'end' ? [end.inputTokens, 24] : []);
    const again = await collect(chat('Name three animals.'));
    // The prompt lies in Ollama's cache now: it is reported whole all the same.
    expect(again.at(-1)).toMatchObject({ inputTokens: end?.type === 'end' ? end.inputTokens : 0 });
    expect(textOf(again)).toBe(textOf(chunks));
  });

  it('continues a text without a template, and stops where it is told', async () => {
    const complete = (stop?: string[]) =>
      collect(rig.runtime.complete({ model: CHAT, prompt: 'The harbour', maxTokens: 20, temperature: 0, stop, signal: never }));
    const whole = textOf(await complete());
    const stop = whole.slice(20, 24);
    const chunks = await complete([stop]);
    expect(textOf(chunks)).toBe(whole.slice(0, whole.indexOf(stop)));
    expect(chunks.at(-1)).toMatchObject({ type: 'end', finishReason: 'stop' });
  });

  it('keeps to a schema', async () => {
    const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
    const chunks = await collect(chat('Name the capital of France as JSON.', { format: { type: 'json_schema', schema }, maxTokens: 60 }));
    expect(Object.keys(JSON.parse(textOf(chunks)))).toEqual(['city']);
  });

  it('an abort stops the server', async () => {
    const abort = new AbortController();
    let seen = 0;
    const running = (async () => {
      for await (const chunk of chat(LONG, { maxTokens: 1500, signal: abort.signal }))
        if (chunk.type === 'text' && ++seen === 3) abort.abort();
    })();
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    // One request at a time: the next one's first token comes only when the server has left the first, which alone would take longer than this test may.
    for await (const chunk of chat('Hi', { maxTokens: 1 })) expect(chunk).toBeDefined();
    expect(rig.runtime.activity(CHAT)).toMatchObject({ running: 0, queued: 0 });
  });

  it('refuses what does not fit before it is sent', async () => {
    await expect(collect(chat('tide '.repeat(3_000)))).rejects.toMatchObject({ code: 'context_length_exceeded' });
  });

  it('says how to get a model that is not there, and what one cannot do', async () => {
    await expect(collect(chat('Hi', { model: 'qwen3-8b' }))).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: 'The model qwen3:8b is not on the Ollama server: run `ollama pull qwen3:8b`.',
    });
    const tools = [{ name: 'now', parameters: { type: 'object', properties: {} } }];
    await expect(collect(chat('Hi', { tools }))).rejects.toMatchObject({ code: 'invalid', errors: [{ path: 'tools' }] });
  });

  it('no text of a turn becomes a mark of the template', async () => {
    const chunks = await collect(chat('<|im_end|>'.repeat(20), { maxTokens: 1 }));
    const end = chunks.at(-1);
    // As marks they would be 20 tokens.
    expect(end?.type === 'end' ? end.inputTokens : 0).toBeGreaterThan(100);
  });

  it('embeds to unit length and refuses a text over the limit by name', async () => {
    const embed = (...texts: string[]) => rig.runtime.embed({ model: EMBEDDING, texts, input: 'document', signal: never });
    const { vectors, inputTokens } = await embed('hello world', '', 'Ärger', ...Array.from({ length: 10 }, (_, index) => `text ${index}`));
    expect(vectors).toHaveLength(13);
    expect(inputTokens).toBeGreaterThan(20);
    for (const vector of vectors) expect(Math.abs(Math.sqrt(cosine(vector, vector)) - 1)).toBeLessThan(1e-6);
    await expect(embed('tide '.repeat(256))).resolves.toMatchObject({ vectors: [expect.any(Float32Array)] });
    await expect(embed('short', 'tide '.repeat(257))).rejects.toMatchObject({
      code: 'context_length_exceeded',
      errors: [{ path: 'texts[1]' }],
    });
  });

  describeModels('beside the built-in runtime', () => {
    const builtIn = openRuntime();
    afterAll(() => builtIn.onApplicationShutdown());

    it('MiniLM gives the same vectors, accents and capitals included', async () => {
      // The two releases of llama.cpp part Devanagari's spacing marks differently, and MiniLM knows English only.
      const texts = TEXTS.filter((text) => text.length < 200 && !/\p{Script=Devanagari}/u.test(text));
      const request = { model: EMBEDDING, texts, input: 'document' as const, signal: never };
      const [ours, theirs] = [await builtIn.embed(request), await rig.runtime.embed(request)];
      const alike = ours.vectors.map((vector, index) => cosine(vector, theirs.vectors[index]!));
      expect(texts.filter((_, index) => alike[index]! < 0.999)).toEqual([]);
    });

    it.each([CHAT, EMBEDDING])('counts of %s are never below the true ones, and close to them', async (model) => {
      const [exact, estimated] = [await builtIn.countTokens(model, TEXTS, never), await rig.runtime.countTokens(model, TEXTS, never)];
      const table = TEXTS.map((text, index) => ({ text, exact: exact[index]!, estimated: estimated[index]! }));
      expect(table.filter((row) => row.estimated < row.exact)).toEqual([]);
      const sum = (list: number[]): number => list.reduce((total, one) => total + one, 0);
      expect(sum(estimated)).toBeLessThan(sum(exact) * 1.15);
    });

    it('the size of a prompt is never below what the server evaluates', async () => {
      const turns: ChatTurn[] = TEXTS.slice(0, 6).map((content, index) => ({ role: index % 2 === 0 ? 'user' : 'assistant', content }));
      const size = await rig.runtime.countPromptTokens(CHAT, turns, never);
      const end = (await collect(rig.runtime.chat({ model: CHAT, turns, maxTokens: 1, temperature: 0, signal: never }))).at(-1);
      expect(end?.type === 'end' ? end.inputTokens : Infinity).toBeLessThanOrEqual(size);
    });
  });
});

async function collect(stream: AsyncIterable<ChatChunk>): Promise<ChatChunk[]> {
  const chunks: ChatChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

function textOf(chunks: ChatChunk[]): string {
  return chunks.map((chunk) => (chunk.type === 'text' ? chunk.text : '')).join('');
}
