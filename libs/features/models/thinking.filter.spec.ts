import type { AnswerFormat, ChatChunk } from '@kernel/models';
import fc from 'fast-check';
import { thoughtsApart } from './thinking-stream';
import { ThinkingFilter, type Said } from './thinking.filter';

interface Separated {
  text: string;
  reasoning: string;
}

function join(said: Said[]): Separated {
  const of = (type: Said['type']): string => said.filter((piece) => piece.type === type).reduce((sum, piece) => sum + piece.text, '');
  return { text: of('text'), reasoning: of('reasoning') };
}

function separate(pieces: string[], { opened = false, cutOff = false } = {}): Separated {
  const filter = new ThinkingFilter(opened);
  return join([...pieces.flatMap((piece) => filter.push(piece)), ...filter.end(cutOff)]);
}

/** Every way to cut a text at these places. */
function cut(text: string, places: number[]): string[] {
  const ends = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [...ends, text.length].map((end, index) => text.slice(index === 0 ? 0 : ends[index - 1], end));
}

const FENCE = '```';
const CASES: [string, string, Separated & { opened?: boolean; cutOff?: boolean }][] = [
  ['a block before the answer', '<think>\nShe asks for two.\n</think>\n\nTwo.', { reasoning: 'She asks for two.', text: 'Two.' }],
  ['no block', ' Two < three <thin> </thinking>.\n', { reasoning: '', text: ' Two < three <thin> </thinking>.\n' }],
  ['an empty block', '<think>\n\n</think>\n\nTwo.', { reasoning: '', text: 'Two.' }],
  ['an empty block without an answer', '\n<think>\n</think>\n\n', { reasoning: '', text: '' }],
  ['a block in the middle', 'One.\n\n<think>Next.</think>\n\nTwo.', { reasoning: 'Next.', text: 'One.\n\nTwo.' }],
  ['a block between words', 'One <think>Next.</think> two<think>.</think> three', { reasoning: 'Next.\n\n.', text: 'One two three' }],
  ['an indented list after a block', '- a\n<think>b</think>\n  - b', { reasoning: 'b', text: '- a\n  - b' }],
  ['several blocks', '<think>a </think><think> b</think>\nTwo.', { reasoning: 'a\n\nb', text: 'Two.' }],
  ['an unclosed block', 'One. <think>And then', { reasoning: 'And then', text: 'One. ' }],
  ['the tag twice, of the template and of the model', '<think>\n<think>\nHm.</think>Two.', { reasoning: 'Hm.', text: 'Two.' }],
  ['an opening tag within a thought', '<think>A <think> is a tag.</think>Two.', { reasoning: 'A <think> is a tag.', text: 'Two.' }],
  ['a closing tag that nothing opened', '</think>\n\nTwo.', { reasoning: '', text: 'Two.' }],
  ['a fence in a thought', `<think>${FENCE}\nx</think>Two.`, { reasoning: `${FENCE}\nx`, text: 'Two.' }],
  [
    'tags in a fence of the answer',
    `So:\n${FENCE}xml\n<think>a</think>\n${FENCE}\n<think>b</think>\nEnd.`,
    { reasoning: 'b', text: `So:\n${FENCE}xml\n<think>a</think>\n${FENCE}\nEnd.` },
  ],
  ['tags in a fence of tildes', '~~~\n<think>\n```\n</think>\n~~~', { reasoning: '', text: '~~~\n<think>\n```\n</think>\n~~~' }],
  ['a fence that a line with words does not close', '~~~\n~~~ js\n<think>a\n~~~', { reasoning: '', text: '~~~\n~~~ js\n<think>a\n~~~' }],
  ['tags in a span', 'The `<think>` and ``a ` </think>`` tags.', { reasoning: '', text: 'The `<think>` and ``a ` </think>`` tags.' }],
  ['a span that ends with its line', 'A lone `\n<think>x</think>b', { reasoning: 'x', text: 'A lone `\nb' }],
  ['an answer in a fence after a block', `<think>x</think>\n${FENCE}\n<think>`, { reasoning: 'x', text: `${FENCE}\n<think>` }],
  ['the opening tag missing', 'She asks.\n</think>\n\nTwo.', { reasoning: 'She asks.', text: 'Two.', opened: true }],
  ['the opening tag there after all', '\n<think>\nShe asks.</think>Two.', { reasoning: 'She asks.', text: 'Two.', opened: true }],
  ['an answer before a thought', 'One. <think>Hm.</think>Two.', { reasoning: 'Hm.', text: 'One. Two.', opened: true }],
  ['no tag where one was expected', 'Two.\n', { reasoning: '', text: 'Two.\n', opened: true }],
  ['no tag before the limit', 'She asks for', { reasoning: 'She asks for', text: '', opened: true, cutOff: true }],
  ['signs of two code units', '<think>🦀</think>🐚 <', { reasoning: '🦀', text: '🐚 <' }],
];

describe('ThinkingFilter', () => {
  it.each(CASES)('separates %s, whole and sign by sign', (_, written, { text, reasoning, ...options }) => {
    expect(separate([written], options)).toEqual({ text, reasoning });
    expect(separate([...written], options)).toEqual({ text, reasoning });
  });

  it('says the same however the stream is cut', () => {
    const parts = ['<think>', '</think>', '<', 'thi', 'nk>', '`', FENCE, '\n', ' ', 'word', '~~~', '🦀'];
    const text = fc.array(fc.constantFrom(...parts), { maxLength: 24 }).map((found) => found.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(200)), fc.boolean(), fc.boolean(), (written, places, opened, cutOff) => {
        expect(separate(cut(written, places), { opened, cutOff })).toEqual(separate([written], { opened, cutOff }));
      }),
      { numRuns: 2_000 },
    );
  });

  it('loses no word and lets no block into the answer', () => {
    const word = fc.stringMatching(/^[a-z]{1,6}$/u);
    const part = fc.record({ thought: fc.boolean(), words: fc.array(word, { minLength: 1, maxLength: 4 }) });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), fc.array(fc.nat(300)), (spoken, places) => {
        const written = spoken
          .map(({ thought, words }) => (thought ? `<think>${words.join(' ')}</think>` : `\n${words.join(' ')}\n`))
          .join('');
        const found = separate(cut(written, places));
        const wordsOf = (wanted: boolean) => spoken.filter(({ thought }) => thought === wanted).flatMap(({ words }) => words);
        expect(found.text.split(/\s+/u).filter(Boolean)).toEqual(wordsOf(false));
        expect(found.reasoning.split(/\s+/u).filter(Boolean)).toEqual(wordsOf(true));
      }),
    );
  });

  it('holds back no more than may be a tag', () => {
    const filter = new ThinkingFilter();
    expect(filter.push('Two')).toEqual([{ type: 'text', text: 'Two' }]);
    expect(filter.push(' <th')).toEqual([{ type: 'text', text: ' ' }]);
    expect(filter.push('e')).toEqual([{ type: 'text', text: '<the' }]);
    expect(filter.push('<think>Hm')).toEqual([{ type: 'reasoning', text: 'Hm' }]);
  });
});

describe('a stream with its thoughts apart', () => {
  const end = (finishReason: 'stop' | 'length'): ChatChunk => ({ type: 'end', finishReason, inputTokens: 1, outputTokens: 2, seconds: 3 });
  const call: ChatChunk = { type: 'tool_call', call: { id: '1', name: 'clock', arguments: '{}' } };

  async function read(chunks: ChatChunk[], opened: boolean, format?: AnswerFormat): Promise<ChatChunk[]> {
    const source = async function* (): AsyncGenerator<ChatChunk> {
      yield* chunks;
    };
    const read: ChatChunk[] = [];
    for await (const chunk of thoughtsApart(source(), { think: opened, format }, { capabilities: ['thinking'] })) read.push(chunk);
    return read;
  }

  it('passes everything else on and ends with what was held back', async () => {
    const chunks: ChatChunk[] = [{ type: 'text', text: '<think>Hm</think>a <' }, call, end('stop')];
    expect(await read(chunks, false)).toEqual([
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'a ' },
      call,
      { type: 'text', text: '<' },
      end('stop'),
    ]);
  });

  it('streams at once what a runtime separates itself', async () => {
    const chunks: ChatChunk[] = [
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'Two' },
      { type: 'text', text: '.' },
      end('stop'),
    ];
    expect(await read(chunks, true)).toEqual(chunks);
  });

  it('takes a text that was cut off before any tag for a thought, where the template opens one', async () => {
    expect(await read([{ type: 'text', text: 'Hm' }, end('length')], true)).toEqual([{ type: 'reasoning', text: 'Hm' }, end('length')]);
    expect(await read([{ type: 'text', text: 'Hm' }, end('stop')], true)).toEqual([{ type: 'text', text: 'Hm' }, end('stop')]);
  });

  it('leaves what is held to JSON as it is', async () => {
    const chunks: ChatChunk[] = [{ type: 'text', text: '{"tag": "<think>"}' }, end('stop')];
    expect(await read(chunks, true, { type: 'json' })).toEqual(chunks);
  });

  it('stops the model when nobody reads on', async () => {
    let stopped = false;
    const source = async function* (): AsyncGenerator<ChatChunk> {
      try {
        for (;;) yield { type: 'text', text: 'a' };
      } finally {
        stopped = true;
      }
    };
    for await (const chunk of thoughtsApart(source(), {}, { capabilities: [] })) if (chunk.type === 'text') break;
    expect(stopped).toBe(true);
  });
});
