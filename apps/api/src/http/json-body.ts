import { AppError } from '@kernel/errors';

const DEEPEST = 32;
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

interface Level {
  /** Keys seen in an object; undefined for an array. */
  keys?: Set<string>;
  expectsKey: boolean;
}

/**
 * The value of a JSON body. Refused with `invalid`: what is not UTF-8 or not JSON, nesting beyond 32, a key twice in one object, keys that reach
 * prototypes; with `unprocessable`, naming the field: text with U+0000 or half a surrogate pair. Nothing here recurses.
 */
export function parseJsonBody(body: Buffer): unknown {
  const text = decode(body);
  checkDepth(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError('invalid', 'The body is not valid JSON.');
  }
  checkKeys(text);
  checkText(value, '');
  return value;
}

/** Refuses text that a database cannot hold, in every string of a value; `path` names the place it came from. */
export function checkText(value: unknown, path: string): void {
  const pending: Array<[unknown, string]> = [[value, path]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [current, name] = next;
    if (typeof current === 'string') checkString(current, name);
    else if (typeof current === 'object' && current !== null) {
      for (const [key, inner] of Object.entries(current)) {
        checkString(key, name === '' ? 'body' : name);
        pending.push([inner, Array.isArray(current) ? `${name}[${key}]` : name === '' ? key : `${name}.${key}`]);
      }
    }
  }
}

function checkString(text: string, path: string): void {
  if (text.includes('\0')) throw AppError.field('unprocessable', path || 'body', 'must not contain the character U+0000.');
  if (!text.isWellFormed()) throw AppError.field('unprocessable', path || 'body', 'must not contain half of a surrogate pair.');
}

function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new AppError('invalid', 'The body is not valid UTF-8.');
  }
}

/** Before parsing: the parser itself would follow any depth. */
function checkDepth(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > DEEPEST) throw new AppError('invalid', `The body is nested deeper than ${DEEPEST} levels.`);
  }
}

/** After parsing, so the text is known to be JSON: a string in an object is a key when it follows `{` or `,`. */
function checkKeys(text: string): void {
  const levels: Level[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    const level = levels.at(-1);
    if (character === '"') {
      const end = endOfString(text, at);
      if (level?.keys !== undefined && level.expectsKey) addKey(level.keys, JSON.parse(text.slice(at, end + 1)) as string);
      if (level !== undefined) level.expectsKey = false;
      at = end;
    } else if (character === '{') levels.push({ keys: new Set(), expectsKey: true });
    else if (character === '[') levels.push({ expectsKey: false });
    else if (character === '}' || character === ']') levels.pop();
    else if (character === ',' && level !== undefined) level.expectsKey = true;
  }
}

function addKey(keys: Set<string>, key: string): void {
  if (FORBIDDEN_KEYS.has(key)) throw AppError.field('invalid', key, 'this name is not allowed.');
  if (keys.has(key)) throw AppError.field('invalid', key, 'is given twice.');
  keys.add(key);
}

/** Index of the quote that ends the string beginning at `start`; the length of the text when nothing does. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}
