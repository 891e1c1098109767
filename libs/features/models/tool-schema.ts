import { AppError } from '@kernel/errors';
import { assertAnswerSchema } from '@kernel/models';

const KEPT = ['type', 'required', 'enum', 'const', 'minItems', 'maxItems', 'minLength', 'maxLength'];

/**
 * The parameters of a tool as far as a reply can be held to them: what only narrows (a pattern, a range) is left to the check of the arguments.
 * A schema that is too large or odd becomes any object.
 */
export function loosened(parameters: Record<string, unknown>): Record<string, unknown> {
  const schema = { ...part(parameters), type: 'object' };
  try {
    assertAnswerSchema(schema, 'parameters');
    return schema;
  } catch (error) {
    if (error instanceof AppError) return { type: 'object' };
    throw error;
  }
}

function part(schema: unknown, depth = 0): Record<string, unknown> {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema) || depth > 7) return {};
  const given = schema as Record<string, unknown>;
  const kept: Record<string, unknown> = {};
  for (const key of KEPT) if (given[key] !== undefined) kept[key] = given[key];
  for (const key of ['oneOf', 'anyOf']) if (Array.isArray(given[key])) kept[key] = given[key].map((one) => part(one, depth + 1));
  if (given.items !== undefined) kept.items = part(given.items, depth + 1);
  if (typeof given.properties === 'object' && given.properties !== null)
    kept.properties = Object.fromEntries(Object.entries(given.properties).map(([name, one]) => [name, part(one, depth + 1)]));
  if (given.additionalProperties !== undefined)
    kept.additionalProperties =
      typeof given.additionalProperties === 'boolean' ? given.additionalProperties : part(given.additionalProperties, depth + 1);
  return kept;
}
