import { AppError } from '@kernel/errors';
import type { FilterRelation, FilterScalar, VectorFilter } from '@kernel/vectors';
import { METADATA_FIELD } from '../metadata';
import { isInstant } from './instant';

/** Conditions of one filter, and values of one list. */
const MOST_CONDITIONS = 256;
const MOST_VALUES = 1_000;
const DEEPEST = 16;

const RELATIONS: Record<string, FilterRelation> = { $gt: 'gt', $gte: 'gte', $lt: 'lt', $lte: 'lte' };

interface Reading {
  conditions: number;
}

/**
 * A filter of the contract's language (`{ field: value }`, `$eq $ne $gt $gte $lt $lte $in $nin $exists`, `$and $or $not`) as a tree. Errors:
 * `invalid` naming the place; `unprocessable` for a range over anything but numbers and RFC 3339 strings.
 */
export function parseFilter(value: unknown, path = 'filter'): VectorFilter {
  return conjunction(value, path, { conditions: 0 }, 1);
}

/** The members of an object, joined by and. */
function conjunction(value: unknown, path: string, reading: Reading, depth: number): VectorFilter {
  if (depth > DEEPEST) throw fault(path, `is nested deeper than ${DEEPEST} levels.`);
  const operands = Object.entries(objectOf(value, path)).map(([key, operand]) => member(key, operand, path, reading, depth));
  return operands.length === 1 && operands[0] !== undefined ? operands[0] : { op: 'and', operands };
}

function member(key: string, operand: unknown, path: string, reading: Reading, depth: number): VectorFilter {
  const place = `${path}.${key}`;
  reading.conditions += 1;
  if (reading.conditions > MOST_CONDITIONS) throw fault(path, `has more than ${MOST_CONDITIONS} conditions.`);
  if (key === '$and' || key === '$or') {
    if (!Array.isArray(operand) || operand.length === 0) throw fault(place, 'must be a list with at least one filter.');
    const operands = operand.map((each, index) => conjunction(each, `${place}[${index}]`, reading, depth + 1));
    return { op: key === '$and' ? 'and' : 'or', operands };
  }
  if (key === '$not') return { op: 'not', operand: conjunction(filled(operand, place), place, reading, depth + 1) };
  if (key.startsWith('$')) throw fault(place, 'is not an operator that stands before fields.');
  if (!METADATA_FIELD.test(key)) throw fault(path, `${JSON.stringify(key.slice(0, 80))} cannot be the name of a field.`);
  if (typeof operand !== 'object' || operand === null) return { op: 'in', field: key, values: [scalar(operand, place)] };
  return conditions(key, filled(operand, place), place, reading, depth);
}

/** The operators of one field, joined by and. */
function conditions(field: string, operators: object, path: string, reading: Reading, depth: number): VectorFilter {
  if (depth > DEEPEST) throw fault(path, `is nested deeper than ${DEEPEST} levels.`);
  const operands = Object.entries(operators).map(([operator, operand]): VectorFilter => {
    reading.conditions += 1;
    if (reading.conditions > MOST_CONDITIONS) throw fault(path, `has more than ${MOST_CONDITIONS} conditions.`);
    const place = `${path}.${operator}`;
    if (operator === '$not') return { op: 'not', operand: conditions(field, filled(operand, place), place, reading, depth + 1) };
    return condition(field, operator, operand, place);
  });
  return operands.length === 1 && operands[0] !== undefined ? operands[0] : { op: 'and', operands };
}

function condition(field: string, operator: string, operand: unknown, path: string): VectorFilter {
  const relation = Object.hasOwn(RELATIONS, operator) ? RELATIONS[operator] : undefined;
  if (relation !== undefined) return { op: 'range', field, relation, value: bound(operand, path) };
  switch (operator) {
    case '$eq':
      return { op: 'in', field, values: [scalar(operand, path)] };
    case '$ne':
      return { op: 'not', operand: { op: 'in', field, values: [scalar(operand, path)] } };
    case '$in':
      return { op: 'in', field, values: list(operand, path) };
    case '$nin':
      return { op: 'not', operand: { op: 'in', field, values: list(operand, path) } };
    case '$exists':
      if (typeof operand !== 'boolean') throw fault(path, 'must be true or false.');
      return operand ? { op: 'exists', field } : { op: 'not', operand: { op: 'exists', field } };
    default:
      throw fault(path, 'is not a known operator.');
  }
}

function list(operand: unknown, path: string): FilterScalar[] {
  if (!Array.isArray(operand)) throw fault(path, 'must be a list.');
  if (operand.length > MOST_VALUES) throw fault(path, `must have at most ${MOST_VALUES} values.`);
  return operand.map((each, index) => scalar(each, `${path}[${index}]`));
}

function scalar(operand: unknown, path: string): FilterScalar {
  if (typeof operand === 'string' || typeof operand === 'boolean') return operand;
  if (typeof operand === 'number' && Number.isFinite(operand)) return operand;
  throw fault(path, 'must be a string, a finite number or a boolean.');
}

function bound(operand: unknown, path: string): number | string {
  if (typeof operand === 'number' && Number.isFinite(operand)) return operand;
  if (typeof operand === 'string' && isInstant(operand)) return operand;
  throw AppError.field('unprocessable', path, 'must be a number or an RFC 3339 date-time.');
}

function filled(value: unknown, path: string): object {
  const object = objectOf(value, path);
  if (Object.keys(object).length === 0) throw fault(path, 'must not be empty.');
  return object;
}

function objectOf(value: unknown, path: string): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(path, 'must be an object.');
  return value;
}

function fault(path: string, message: string): AppError {
  return AppError.field('invalid', path, message);
}
