import { AppError } from '@kernel/errors';
import fc from 'fast-check';
import { checkText, parseJsonBody } from './json-body';

function refusal(text: string | Buffer): [string, string | undefined] {
  try {
    parseJsonBody(Buffer.from(text as string));
  } catch (error) {
    if (error instanceof AppError) return [error.code, error.errors?.[0]?.path];
    throw error;
  }
  throw new Error('The body was accepted.');
}

const nested = (depth: number, open: string, close: string, inner = '1') => open.repeat(depth) + inner + close.repeat(depth);

describe('parseJsonBody', () => {
  it('answers what JSON.parse answers for every value of reasonable depth', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8, stringUnit: 'grapheme' }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/__proto__|constructor|prototype|\\u0000/.test(text));
        expect(parseJsonBody(Buffer.from(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('lets 32 levels pass and refuses the 33rd, however deep it goes on', () => {
    expect(parseJsonBody(Buffer.from(nested(32, '[', ']')))).toHaveLength(1);
    expect(refusal(nested(33, '[', ']'))).toEqual(['invalid', undefined]);
    expect(refusal(nested(33, '{"a":', '}'))).toEqual(['invalid', undefined]);
    expect(refusal('['.repeat(1_000_000))).toEqual(['invalid', undefined]);
  });

  it('counts no bracket inside a text', () => {
    expect(parseJsonBody(Buffer.from(JSON.stringify({ text: '[{"'.repeat(50), quote: '\\"[[\\' })))).toEqual({
      text: '[{"'.repeat(50),
      quote: '\\"[[\\',
    });
  });

  it.each(['', '{', '{"a":1,}', 'nul', "{'a':1}", '{"a":1} x', '"\\'])('refuses %j, which is no JSON', (text) => {
    expect(refusal(text)).toEqual(['invalid', undefined]);
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(refusal(Buffer.from([0x22, 0xff, 0x22]))).toEqual(['invalid', undefined]);
  });

  it.each([
    ['{"a":1,"a":2}', 'a'],
    ['{"x":{"b":1,"c":{},"b":2}}', 'b'],
    ['[{"a":1},{"a":1,"\\u0061":2}]', 'a'],
  ])('refuses the keys of %s', (text, key) => {
    expect(refusal(text)).toEqual(['invalid', key]);
  });

  it.each([
    ['{"__proto__":{"role":"admin"}}', '__proto__'],
    ['{"\\u005f_proto__":1}', '__proto__'],
    ['{"metadata":{"constructor":{"prototype":{}}}}', 'constructor'],
    ['{"metadata":{"prototype":1}}', 'prototype'],
  ])('refuses %s, which reaches prototypes', (text, key) => {
    expect(refusal(text)).toEqual(['unprocessable', key]);
  });

  it('takes equal keys of different objects and equal texts for what they are', () => {
    expect(parseJsonBody(Buffer.from('{"a":{"a":"a"},"b":["a","a",{"a":1}],"c":"a"}'))).toEqual({
      a: { a: 'a' },
      b: ['a', 'a', { a: 1 }],
      c: 'a',
    });
  });

  it.each([
    ['{"content":"a\\u0000b"}', 'content'],
    ['{"messages":[{"content":"ok"},{"content":"\\ud800"}]}', 'messages[1].content'],
    ['{"messages":["\\udc00x"]}', 'messages[0]'],
    ['{"metadata":{"\\u0000":1}}', 'metadata'],
    ['{"\\ud800":1}', 'body'],
    ['"\\u0000"', 'body'],
  ])('refuses the text of %s, naming %s', (text, path) => {
    expect(refusal(text)).toEqual(['unprocessable', path]);
  });

  it('takes whole surrogate pairs', () => {
    expect(parseJsonBody(Buffer.from('"\\ud83d\\ude00"'))).toBe('😀');
  });
});

describe('checkText', () => {
  it('looks at query values under their names', () => {
    expect(() => checkText({ title: ['ok', 'a\0'] }, 'query')).toThrow('query.title[1]: must not contain the character U+0000.');
  });
});
