import fc from 'fast-check';
import type { ChatChunk, ChatRequest, ModelCard, ToolDefinition } from '@kernel/models';
import { ToolProtocol } from './tool-protocol';

const TOOLS: ToolDefinition[] = [
  { name: 'add', description: 'Adds.', parameters: { type: 'object', properties: { a: { type: 'number', minimum: 0 } }, required: ['a'] } },
  { name: 'now', parameters: { type: 'object', properties: {} } },
];
const END = { type: 'end', inputTokens: 3, outputTokens: 2, seconds: 1 } as const;

const card = (...capabilities: string[]): ModelCard => ({ id: 'm', capabilities }) as ModelCard;
const request = (given: Partial<ChatRequest> = {}): ChatRequest => ({
  model: 'm',
  turns: [{ role: 'user', content: 'Add.' }],
  maxTokens: 100,
  temperature: 0,
  signal: new AbortController().signal,
  tools: TOOLS,
  ...given,
});

function protocol(given: Partial<ChatRequest> = {}, ...capabilities: string[]): ToolProtocol {
  const made = ToolProtocol.of(request(given), card(...(capabilities.length === 0 ? ['json_schema'] : capabilities)));
  if (made === undefined) throw new Error('No protocol.');
  return made;
}

async function read(pieces: string[], finishReason: 'stop' | 'length' = 'stop', given: Partial<ChatRequest> = {}): Promise<ChatChunk[]> {
  async function* stream(): AsyncGenerator<ChatChunk> {
    for (const text of pieces) yield { type: 'text', text };
    yield { ...END, finishReason };
  }
  const chunks: ChatChunk[] = [];
  for await (const chunk of protocol(given).read(stream())) chunks.push(chunk);
  return chunks;
}

const texts = (chunks: ChatChunk[]): string[] => chunks.flatMap((chunk) => (chunk.type === 'text' ? [chunk.text] : []));
const end = (chunks: ChatChunk[]) => chunks.at(-1);

describe('ToolProtocol', () => {
  it('is not needed by a model with tools of its own, nor where nobody speaks of tools', () => {
    expect(ToolProtocol.of(request(), card('tools'))).toBeUndefined();
    expect(ToolProtocol.of(request({ tools: undefined }), card())).toBeUndefined();
    expect(ToolProtocol.of(request({ tools: [] }), card())).toBeUndefined();
  });

  it('lets an answer through as it comes, unescaped', async () => {
    const chunks = await read(['{"ans', 'wer": "Gr', 'ü\\', 'u00df \\"a\\"\\', 'n\\ud83e', '\\udd8a"', '}']);
    expect(texts(chunks)).toEqual(['Gr', 'ü', 'ß "a"', '\n', '🦊']);
    expect(end(chunks)).toEqual({ ...END, finishReason: 'stop' });
  });

  it('reads every answer back, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme' }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        async (answer, sizes) => {
          const json = JSON.stringify({ answer });
          const pieces: string[] = [];
          for (let at = 0, n = 0; at < json.length; n += 1) {
            const size = sizes[n % sizes.length] ?? 1;
            pieces.push(json.slice(at, at + size));
            at += size;
          }
          expect(texts(await read(pieces)).join('')).toBe(answer);
        },
      ),
    );
  });

  it('reads a call', async () => {
    const chunks = await read(['{"tool": "add",', ' "arguments": {"a": 1}}']);
    expect(chunks).toEqual([
      { type: 'tool_call', call: { id: expect.stringMatching(/^call_[0-9a-f]{24}$/u), name: 'add', arguments: '{"a":1}' } },
      { ...END, finishReason: 'tool_calls' },
    ]);
  });

  it('drops a call that was cut off, and ends with length', async () => {
    expect(await read(['{"tool": "add", "argum'], 'length')).toEqual([{ ...END, finishReason: 'length' }]);
  });

  it('takes a reply that is no such JSON for the answer', async () => {
    expect(texts(await read([' Four', ' is it.']))).toEqual([' Four', ' is it.']);
    expect(texts(await read(['{ braces in prose', ' and more than sixty-four characters of them, so that it is decided']))).toHaveLength(1);
  });

  it('answers JSON where JSON is asked for', async () => {
    const schema = { type: 'object', properties: { n: { type: 'integer' } } };
    expect(texts(await read(['{"answer": {"n": 4}}'], 'stop', { format: { type: 'json_schema', schema } }))).toEqual(['{"n":4}']);
  });

  it('holds the reply to the tools that may be chosen', () => {
    const call = (name: string, parameters: object) =>
      expect.objectContaining({ properties: { tool: { const: name }, arguments: parameters } });
    const add = call('add', { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] });
    const now = call('now', { type: 'object', properties: {} });
    const answer = expect.objectContaining({ properties: { answer: { type: 'string' } } });
    const choices = (toolChoice: ChatRequest['toolChoice']) => {
      const { format } = protocol({ toolChoice }).request;
      return format?.type === 'json_schema' ? format.schema.oneOf : format;
    };
    expect(choices('auto')).toEqual([add, now, answer]);
    expect(choices('required')).toEqual([add, now]);
    expect(choices({ name: 'now' })).toEqual([now]);
    expect(choices('none')).toBeUndefined();
    expect(protocol({}, 'chat').request.format).toBeUndefined();
  });

  it('does not speak of tools that may not be used', () => {
    expect(JSON.stringify(protocol({ toolChoice: 'none' }).request.turns)).not.toContain('tool');
    expect(JSON.stringify(protocol({ toolChoice: { name: 'now' } }).request.turns)).not.toContain('Adds.');
  });

  it('writes earlier calls and results as text, users and assistant in turn', () => {
    const { request: asked } = protocol({
      turns: [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'Add.' },
        {
          role: 'assistant',
          content: '',
          toolCalls: [
            { id: '1', name: 'add', arguments: '{"a":1}' },
            { id: '2', name: 'now', arguments: '' },
          ],
        },
        { role: 'tool', content: '"one"', toolCallId: '1' },
        { role: 'tool', content: '"noon"', toolCallId: '2' },
      ],
    });
    expect(asked.tools).toBeUndefined();
    expect(asked.turns.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
    expect(asked.turns[0]?.content).toMatch(/^Be kind\.\n\nYou can use tools\..*- add: Adds\./su);
    expect(asked.turns[2]?.content).toBe('{"tool":"add","arguments":{"a":1}}\n{"tool":"now","arguments":{}}');
    expect(asked.turns[3]?.content).toBe('Result of add:\n"one"\n\nResult of now:\n"noon"');
  });
});
