import { AppError } from '@kernel/errors';

export type MetadataValue = string | number | boolean | string[];
export type Metadata = Record<string, MetadataValue>;

const FIELD = /^[A-Za-z_][\w.]{0,63}$/u;
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);
const MOST_FIELDS = 64;

/** Metadata by the contract: flat, at most 64 fields; strings, finite numbers, booleans and arrays of strings. Errors: `unprocessable` naming the field. */
export function asMetadata(value: unknown): Metadata {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault('metadata', 'must be an object.');
  const entries = Object.entries(value);
  if (entries.length > MOST_FIELDS) throw fault('metadata', `must have at most ${MOST_FIELDS} fields.`);
  for (const [field, content] of entries) {
    if (!FIELD.test(field) || RESERVED.has(field))
      throw fault('metadata', `${JSON.stringify(field.slice(0, 80))} cannot be the name of a field.`);
    if (!isValue(content)) throw fault(`metadata.${field}`, 'must be a string, a finite number, a boolean or an array of strings.');
  }
  return Object.fromEntries(entries) as Metadata;
}

function isValue(value: unknown): value is MetadataValue {
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string');
  return typeof value === 'string' || typeof value === 'boolean';
}

function fault(path: string, message: string): AppError {
  return AppError.field('unprocessable', path, message);
}
