// Values made from schemas: fitting ones, and fitting ones of which one place was spoiled.
import fc from 'fast-check';

const DEEPEST = 4;
const LONGEST_TEXT = 200;
const MOST_ITEMS = 4;
const EMAIL = /^e-?mail$/;

const nested = (depth) => Array.from({ length: depth }).reduce((inner) => [inner], 'deep');

/** What has broken parsers, databases and validators before. */
const HOSTILE = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\udfff\ud800',
  '\u202eabc',
  '\ufeff',
  '\uffff',
  'e\u0301\u0327',
  'ﷺ',
  '👩‍👩‍👧‍👦',
  'İstanbul',
  'x'.repeat(5_000),
  '\u{1f600}'.repeat(2_100),
  "' OR 1=1 --",
  '"; DROP TABLE users; --',
  '../../etc/passwd',
  '%2e%2e%2f',
  '${7*7}{{7*7}}',
  '<script>alert(1)</script>',
  'NaN',
  '1e400',
  '0x10',
  '9999-12-31T23:59:60Z',
  '0000-00-00T00:00:00Z',
  '+010000-01-01T00:00:00Z',
  -1,
  0,
  -0,
  1.5,
  1e308,
  -1e308,
  5e-324,
  2 ** 31,
  2 ** 53,
  2 ** 63,
  2 ** 64,
  null,
  true,
  false,
  [],
  {},
  [null],
  [[]],
  { a: {} },
  JSON.parse('{"__proto__":{"admin":true}}'),
  JSON.parse('{"constructor":{"prototype":{"admin":true}}}'),
  { $gt: '' },
  { toString: 'x', valueOf: null, length: -1 },
  nested(40),
  nested(2_000),
  Array.from({ length: 1_100 }, (_, at) => at),
];

export const hostile = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HOSTILE) },
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: 'binary' }),
);

const text = fc.oneof(
  fc.constantFrom('office', 'harbour', 'When does it open?', 'Größe', 'naïve 日本語', 'a'),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
);

export class Arbitraries {
  constructor(api) {
    this.api = api;
  }

  /** A value that fits, or nearly: what its schema cannot say, nobody here knows, and now and then a number lies beyond its bounds. */
  fitting(schema, depth = 0) {
    if (schema.$ref !== undefined) return this.fitting(this.api.resolve(schema.$ref), depth);
    const value = this.#plain(schema, depth);
    return schema.nullable === true ? fc.oneof({ weight: 9, arbitrary: value }, fc.constant(null)) : value;
  }

  #plain(schema, depth) {
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    const several = schema.oneOf ?? schema.anyOf;
    if (several !== undefined) return fc.oneof(...several.map((one) => this.fitting(one, depth)));
    if (schema.allOf !== undefined) {
      const parts = fc.tuple(...schema.allOf.map((one) => this.fitting(one, depth)));
      return parts.map((values) => (values.length === 1 ? values[0] : Object.assign({}, ...values)));
    }
    if (schema.type === 'object') return this.#object(schema, depth);
    if (schema.type === 'array') return this.#array(schema, depth);
    if (schema.type === 'string') return string(schema);
    if (schema.type === 'integer' || schema.type === 'number') return number(schema);
    if (schema.type === 'boolean') return fc.boolean();
    return fc.jsonValue({ maxDepth: 2 });
  }

  #object({ properties = {}, required = [], additionalProperties }, depth) {
    const record = this.#record(properties, required, depth);
    if (typeof additionalProperties !== 'object' || additionalProperties === null || depth >= DEEPEST) return record;
    const more = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), this.fitting(additionalProperties, depth + 1), {
      maxKeys: 3,
      noNullPrototype: true,
    });
    return fc.tuple(more, record).map(([extra, own]) => ({ ...extra, ...own }));
  }

  /** Half of them with what is required and at most two more: where much is said, one thing contradicts the other and nothing is accepted. */
  #record(properties, required, depth) {
    const names = Object.keys(properties).filter((name) => depth < DEEPEST || required.includes(name));
    const all = Object.fromEntries(
      names.map((name) => [name, EMAIL.test(name) ? fc.emailAddress() : this.fitting(properties[name], depth + 1)]),
    );
    const requiredKeys = required.filter((name) => Object.hasOwn(properties, name));
    const optional = names.filter((name) => !required.includes(name));
    const record = fc.record(all, { requiredKeys, noNullPrototype: true });
    if (optional.length < 3) return record;
    const few = fc.tuple(record, fc.subarray(optional, { maxLength: 2 }));
    const kept = few.map(([value, more]) =>
      Object.fromEntries(Object.entries(value).filter(([name]) => required.includes(name) || more.includes(name))),
    );
    return fc.oneof(record, kept);
  }

  #array({ items = {}, minItems = 0, maxItems = MOST_ITEMS }, depth) {
    const most = depth < DEEPEST ? Math.max(minItems, Math.min(maxItems, MOST_ITEMS)) : minItems;
    return fc.array(this.fitting(items, depth + 1), { minLength: minItems, maxLength: most });
  }
}

function string({ pattern, format, minLength = 0, maxLength }) {
  if (format === 'uuid') return fc.uuid();
  if (format === 'date-time' && pattern === undefined) return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  if (pattern !== undefined)
    return fc.stringMatching(new RegExp(pattern, 'u'), { maxLength: Math.min(maxLength ?? LONGEST_TEXT, LONGEST_TEXT) });
  const most = maxLength ?? LONGEST_TEXT;
  const sized = text.filter((value) => value.length >= minLength && value.length <= most);
  const edge = fc.constantFrom('a'.repeat(Math.max(minLength, 1)), 'a'.repeat(Math.min(most, 4_000)));
  return fc.oneof({ weight: 6, arbitrary: minLength > 30 ? edge : sized }, edge);
}

function number({ type, minimum = -1_000, maximum = 1_000, exclusiveMinimum, exclusiveMaximum }) {
  const least = exclusiveMinimum === true ? minimum + (type === 'integer' ? 1 : 1e-6) : minimum;
  const most = exclusiveMaximum === true ? maximum - (type === 'integer' ? 1 : 1e-6) : maximum;
  const edges = type === 'integer' ? fc.constantFrom(Math.ceil(least), Math.floor(most)) : fc.constantFrom(least, most);
  const inner = type === 'integer' ? fc.integer(bounds(least, most)) : fc.double({ min: least, max: most, noNaN: true });
  const beyond = fc.constantFrom(least - 1, most + 1, -1, -most);
  return fc.oneof({ weight: 16, arbitrary: inner }, { weight: 4, arbitrary: edges }, { weight: 1, arbitrary: beyond });
}

const bounds = (least, most) => ({
  min: Math.max(Math.ceil(least), Number.MIN_SAFE_INTEGER),
  max: Math.min(Math.floor(most), Number.MAX_SAFE_INTEGER, Math.ceil(Math.max(least, 0)) + 2 ** 31 - 1),
});
