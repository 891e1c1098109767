import { AppError } from '@kernel/errors';
import type { Metric } from '@kernel/vectors';
import { vectorOf } from '../vector-bytes';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export interface VectorForm {
  dimensions: number;
  metric: Metric;
}

/**
 * A vector as sent, as float32. Errors, naming `path`: `unprocessable` for a wrong length, a component that is no finite float32, only zeros
 * under cosine, and base64 that is not exact.
 */
export function checkedVector(sent: ArrayLike<number> | string, { dimensions, metric }: VectorForm, path: string): Float32Array {
  const given = typeof sent === 'string' ? decoded(sent, path) : sent;
  if (given.length === 0) throw fault(path, 'must not be empty.');
  if (given.length !== dimensions) throw fault(path, `has ${given.length} components; the collection holds vectors of ${dimensions}.`);
  const vector = given instanceof Float32Array ? given : new Float32Array(dimensions);
  let zero = true;
  for (let at = 0; at < dimensions; at += 1) {
    const value: unknown = given[at];
    if (typeof value !== 'number') throw fault(`${path}[${at}]`, 'must be a number.');
    if (vector !== given) vector[at] = value;
    // What is beyond float32 has become an infinity.
    if (!Number.isFinite(vector[at])) throw fault(`${path}[${at}]`, 'must be a finite number within float32.');
    if (vector[at] !== 0) zero = false;
  }
  if (zero && metric === 'cosine') throw fault(path, 'must not be all zeros: it has no direction.');
  return vector;
}

/** Base64 of little-endian float32, in the one form that base64 has for these bytes. */
function decoded(text: string, path: string): Float32Array {
  const bytes = BASE64.test(text) ? Buffer.from(text, 'base64') : undefined;
  if (bytes === undefined || bytes.toString('base64') !== text) throw fault(path, 'is not valid base64.');
  if (bytes.length % 4 !== 0) throw fault(path, 'must be base64 of float32 numbers of 4 bytes each.');
  return vectorOf(bytes);
}

function fault(path: string, message: string): AppError {
  return AppError.field('unprocessable', path, message);
}
