import { SchemaGrammar } from './schema.grammar';

/** The rules that the schema itself makes. */
const rules = (schema: Record<string, unknown>): string[] =>
  SchemaGrammar.of(schema)
    .split('\n')
    .filter((line) => /^(?:root|r\d+) /u.test(line));

describe('SchemaGrammar', () => {
  it('puts required members first and lets the others be left out', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'string' }, c: { type: 'boolean' } },
      required: ['b'],
    };
    expect(rules(schema)).toEqual([
      'root ::= r3',
      'r0 ::= string',
      'r1 ::= integer',
      'r2 ::= boolean',
      'r3 ::= "{" sp "\\"b\\"" ":" sp r0 ("," sp "\\"a\\"" ":" sp r1)? ("," sp "\\"c\\"" ":" sp r2)? sp "}"',
    ]);
  });

  it('makes no comma before the first of optional members', () => {
    expect(rules({ type: 'object', properties: { a: {}, b: { type: 'null' } } }).at(-1)).toBe(
      'r2 ::= "{" sp ("\\"a\\"" ":" sp r0 ("," sp "\\"b\\"" ":" sp r1)? | "\\"b\\"" ":" sp r1)? sp "}"',
    );
  });

  it.each([
    [{ const: 'a"b\\' }, '"\\"a\\\\\\"b\\\\\\\\\\""'],
    [{ enum: [1, null, 'x'] }, '("1" | "null" | "\\"x\\"")'],
    [{ type: 'string', maxLength: 5 }, '"\\"" char{0,5} "\\""'],
    [{ type: 'string', minLength: 2, maxLength: 100_000 }, '"\\"" char{2,} "\\""'],
    [{}, 'value'],
    [{ type: 'object' }, 'object'],
    [{ type: 'object', additionalProperties: false }, '"{" sp "}"'],
  ])('%j is %s', (schema, expression) => expect(rules(schema)[0]).toBe(`root ::= ${expression}`));

  it('counts items', () => {
    expect(rules({ type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 3 }).at(-1)).toBe(
      'r1 ::= "[" sp r0 ("," sp r0){1,2} sp "]"',
    );
    expect(rules({ type: 'array', maxItems: 0 })).toEqual(['root ::= "[" sp "]"']);
  });
});
