import { AppError } from '@kernel/errors';

/** What the grammar of a constrained answer understands. */
const STRUCTURE = new Set([
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'minItems',
  'maxItems',
  'enum',
  'const',
  'oneOf',
  'anyOf',
]);
const TEXT = new Set(['minLength', 'maxLength']);
/** Words about a schema that change nothing of what satisfies it. */
const ANNOTATIONS = new Set([
  'title',
  'description',
  'default',
  'examples',
  '$schema',
  '$id',
  '$comment',
  'deprecated',
  'readOnly',
  'writeOnly',
]);
const TYPES = new Set(['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']);
const MOST_DEPTH = 10;
const MOST_NODES = 300;

type Schema = Record<string, unknown>;

/**
 * Checks that a JSON Schema stays within the subset by which answers can be constrained: types, properties, items, enum, const, oneOf, anyOf and
 * lengths, at most 10 deep. Errors: `invalid` naming the first keyword that is not supported by its path.
 */
export function assertAnswerSchema(schema: unknown, path: string): void {
  const count = { nodes: 0 };
  check(schema, path, 0, count);
}

function check(schema: unknown, path: string, depth: number, count: { nodes: number }): void {
  if (!isObject(schema)) throw AppError.field('invalid', path, 'must be a JSON Schema object.');
  count.nodes += 1;
  if (depth > MOST_DEPTH || count.nodes > MOST_NODES)
    throw AppError.field('invalid', path, `the schema is too large: at most ${MOST_DEPTH} levels and ${MOST_NODES} parts.`);
  for (const key of Object.keys(schema)) {
    if (!STRUCTURE.has(key) && !TEXT.has(key) && !ANNOTATIONS.has(key))
      throw AppError.field('invalid', `${path}.${key}`, 'this keyword is not supported.');
  }
  checkTypes(schema.type, path);
  checkValues(schema, path);
  for (const [name, child] of Object.entries(isObject(schema.properties) ? schema.properties : {}))
    check(child, `${path}.properties.${name}`, depth + 1, count);
  if (schema.items !== undefined) check(schema.items, `${path}.items`, depth + 1, count);
  if (isObject(schema.additionalProperties)) check(schema.additionalProperties, `${path}.additionalProperties`, depth + 1, count);
  for (const word of ['oneOf', 'anyOf']) {
    const choices = schema[word];
    if (choices === undefined) continue;
    if (!Array.isArray(choices) || choices.length === 0) throw AppError.field('invalid', `${path}.${word}`, 'must be a list of schemas.');
    choices.forEach((choice, index) => check(choice, `${path}.${word}[${index}]`, depth + 1, count));
  }
}

function checkTypes(type: unknown, path: string): void {
  if (type === undefined) return;
  const types = Array.isArray(type) ? type : [type];
  if (types.length === 0 || !types.every((one) => typeof one === 'string' && TYPES.has(one)))
    throw AppError.field('invalid', `${path}.type`, 'is no type of JSON Schema.');
}

function checkValues(schema: Schema, path: string): void {
  if (schema.properties !== undefined && !isObject(schema.properties))
    throw AppError.field('invalid', `${path}.properties`, 'must be an object.');
  const { enum: values, required } = schema;
  if (values !== undefined && !(Array.isArray(values) && values.length > 0 && values.every(isScalar)))
    throw AppError.field('invalid', `${path}.enum`, 'must be a list of strings, numbers, booleans or null.');
  if (schema.const !== undefined && !isScalar(schema.const))
    throw AppError.field('invalid', `${path}.const`, 'must be a string, number, boolean or null.');
  if (required !== undefined && !(Array.isArray(required) && required.every((name) => typeof name === 'string')))
    throw AppError.field('invalid', `${path}.required`, 'must be a list of names.');
  const extra = schema.additionalProperties;
  if (extra !== undefined && typeof extra !== 'boolean' && !isObject(extra))
    throw AppError.field('invalid', `${path}.additionalProperties`, 'must be a boolean or a schema.');
  for (const key of ['minItems', 'maxItems', 'minLength', 'maxLength']) {
    const value = schema[key];
    if (value !== undefined && !(Number.isInteger(value) && (value as number) >= 0))
      throw AppError.field('invalid', `${path}.${key}`, 'must be a whole number.');
  }
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}
