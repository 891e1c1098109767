import { AppError } from '@kernel/errors';

export type MetadataValue = string | number | boolean | string[];
export type Metadata = Record<string, MetadataValue>;

export const METADATA_FIELD = /^[A-Za-z_][\w.]{0,63}$/;
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);
const MOST_FIELDS = 64;

/**
 * Metadata by the contract: flat, at most 64 fields; strings, finite numbers, booleans and arrays of strings. Errors: `unprocessable` naming
 * the field, under `path`.
 */
export function asMetadata(value: unknown, path = 'metadata'): Metadata {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(path, 'must be an object.');
  const entries = Object.entries(value);
  if (entries.length > MOST_FIELDS) throw fault(path, `must have at most ${MOST_FIELDS} fields.`);
  for (const [field, content] of entries) {
    if (!METADATA_FIELD.test(field) || RESERVED.has(field))
      throw fault(path, `${JSON.stringify(field.slice(0, 80))} cannot be the name of a field.`);
    if (!isValue(content)) throw fault(`${path}.${field}`, 'must be a string, a finite number, a boolean or an array of strings.');
  }
  return Object.fromEntries(entries) as Metadata;
}

function isValue(value: unknown): value is MetadataValue {
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string' && isText(item));
  return typeof value === 'boolean' || (typeof value === 'string' && isText(value));
}

/** Unicode scalars without U+0000. */
export function isText(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0');
}

function fault(path: string, message: string): AppError {
  return AppError.field('unprocessable', path, message);
}
