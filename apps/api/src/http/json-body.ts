import { AppError } from '@kernel/errors';
import { readJson, textFault, type JsonFault, type JsonReading } from './json.worker';

/**
 * The value of a JSON body. Refused with `invalid`: what is not UTF-8 or not JSON, nesting beyond 32, a key twice in one object; with
 * `unprocessable`, naming the field: keys that reach prototypes, text with U+0000 or half a surrogate pair.
 */
export function parseJsonBody(body: Uint8Array): unknown {
  return acceptedReading(readJson(body));
}

/** The value that was read, or the fault as an error. */
export function acceptedReading(reading: JsonReading): unknown {
  if (reading.fault !== undefined) throw errorOf(reading.fault);
  return reading.value;
}

/** Refuses text that a database cannot hold, in every string of a value; `path` names the place it came from. */
export function checkText(value: unknown, path: string): void {
  const fault = textFault(value, path);
  if (fault !== undefined) throw errorOf(fault);
}

function errorOf({ code, path, message }: JsonFault): AppError {
  return path === undefined ? new AppError(code, message) : AppError.field(code, path, message);
}
