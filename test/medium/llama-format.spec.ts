import { Ajv } from 'ajv';
import type { LlamaCppRuntime } from '@backing/llama-cpp';
import type { AnswerFormat, ChatChunk } from '@kernel/models';
import { CHAT, describeModels, openRuntime } from '../support/models';

const SCHEMAS: Record<string, Record<string, unknown>> = {
  person: {
    type: 'object',
    properties: { name: { type: 'string', maxLength: 30 }, age: { type: 'integer' }, job: { enum: ['cook', 'pilot', null] } },
    required: ['name', 'age'],
    additionalProperties: false,
  },
  nested: {
    type: 'object',
    properties: {
      items: {
        type: 'array',
        minItems: 1,
        maxItems: 3,
        items: { type: 'object', properties: { id: { type: 'integer' }, ok: { type: 'boolean' } }, required: ['id', 'ok'] },
      },
      note: { type: ['string', 'null'], maxLength: 40 },
    },
    required: ['items', 'note'],
  },
  choice: {
    oneOf: [
      {
        type: 'object',
        properties: { tool: { const: 'add "it"' }, arguments: { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] } },
        required: ['tool', 'arguments'],
      },
    ],
  },
};

describeModels('answers in a form (llama.cpp)', () => {
  let runtime: LlamaCppRuntime;
  beforeAll(() => {
    runtime = openRuntime();
  });
  afterAll(() => runtime.onApplicationShutdown());

  async function answer(format: AnswerFormat, maxTokens = 200, seed?: number): Promise<{ text: string; end: ChatChunk | undefined }> {
    let text = '';
    let end: ChatChunk | undefined;
    const turns = [{ role: 'user' as const, content: 'Tell me about Ada the pilot, 36 years old, as JSON.' }];
    const request = {
      model: CHAT,
      turns,
      maxTokens,
      temperature: seed === undefined ? 0 : 1,
      seed,
      format,
      signal: new AbortController().signal,
    };
    for await (const chunk of runtime.chat(request)) {
      if (chunk.type === 'text') text += chunk.text;
      end = chunk;
    }
    return { text, end };
  }

  it.each(Object.keys(SCHEMAS))('%s: every answer satisfies the schema', async (name) => {
    const schema = SCHEMAS[name] ?? {};
    const valid = new Ajv({ allowUnionTypes: true }).compile(schema);
    for (const seed of [undefined, 1, 2, 3]) {
      const { text, end } = await answer({ type: 'json_schema', schema }, 300, seed);
      expect({ text, satisfied: valid(JSON.parse(text)) }).toEqual({ text, satisfied: true });
      expect(end).toMatchObject({ type: 'end', finishReason: 'stop' });
    }
  });

  it('any JSON is an object', async () => {
    const { text, end } = await answer({ type: 'json' }, 300, 5);
    expect(end).toMatchObject({ type: 'end', finishReason: 'stop' });
    expect(JSON.parse(text)).toEqual(expect.any(Object));
  });

  it('an answer that is cut off ends with length', async () => {
    const { end } = await answer({ type: 'json_schema', schema: SCHEMAS.nested ?? {} }, 4);
    expect(end).toMatchObject({ type: 'end', finishReason: 'length', outputTokens: 4 });
  });

  it('a keyword that no grammar knows is refused by its name', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^a+$' } } };
    await expect(answer({ type: 'json_schema', schema })).rejects.toMatchObject({
      code: 'invalid',
      errors: [{ path: 'format.schema.properties.a.pattern' }],
    });
  });

  it('the next answer is free again', async () => {
    const { text } = await answer({ type: 'text' }, 20);
    expect(text.trimStart().startsWith('{"')).toBe(false);
  });
});
