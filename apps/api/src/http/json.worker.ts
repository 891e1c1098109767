// Reads JSON by the rules of this server; small bodies in the main thread, large ones in a thread of their own, which runs this same file:
// as compiled JavaScript in the product and, by Node's own type stripping, as it stands here in the tests. So it imports nothing of ours.
import { parentPort, workerData } from 'node:worker_threads';

/** Tells the thread that it is one. */
export const JSON_THREAD = 'json-thread';

const DEEPEST = 32;
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
/** Lists of at least so many numbers are packed. */
const PACKED_FROM = 8;

/** Why a body is refused; `path` names the field. */
export interface JsonFault {
  code: 'invalid' | 'unprocessable';
  path?: string;
  message: string;
}

export type JsonReading = { value: unknown; fault?: undefined } | { fault: JsonFault; value?: undefined };

export interface JsonTask {
  id: number;
  bytes: Uint8Array;
  pack: boolean;
}

interface Level {
  /** Keys seen in an object; undefined for an array. */
  keys?: Set<string>;
  expectsKey: boolean;
}

class Refusal extends Error {
  readonly fault: JsonFault;

  constructor(fault: JsonFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** The value of a JSON text or why it is refused; with `pack`, long lists of numbers are Float64Arrays over one buffer. Nothing here recurses. */
export function readJson(bytes: Uint8Array, pack = false): JsonReading {
  try {
    const text = decode(bytes);
    checkDepth(text);
    const parsed = parse(text);
    checkKeys(text);
    const value = pack ? packed(parsed) : parsed;
    checkStrings(value, '');
    return { value };
  } catch (error) {
    if (error instanceof Refusal) return { fault: error.fault };
    throw error;
  }
}

/** Why a value's text cannot be stored, if it cannot; `path` names the place the value came from. */
export function textFault(value: unknown, path: string): JsonFault | undefined {
  try {
    checkStrings(value, path);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.fault;
    throw error;
  }
}

function checkStrings(value: unknown, path: string): void {
  const pending: Array<[unknown, string]> = [[value, path]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [current, name] = next;
    if (typeof current === 'string') checkString(current, name);
    else if (typeof current === 'object' && current !== null && !ArrayBuffer.isView(current)) {
      const list = Array.isArray(current);
      for (const [key, inner] of Object.entries(current)) {
        if (!list) checkString(key, name === '' ? 'body' : name);
        if (typeof inner === 'string' || typeof inner === 'object')
          pending.push([inner, list ? `${name}[${key}]` : name === '' ? key : `${name}.${key}`]);
      }
    }
  }
}

function checkString(text: string, path: string): void {
  if (text.includes('\0')) refuse('unprocessable', 'must not contain the character U+0000.', path || 'body');
  if (!text.isWellFormed()) refuse('unprocessable', 'must not contain half of a surrogate pair.', path || 'body');
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refuse('invalid', 'The body is not valid UTF-8.');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse('invalid', 'The body is not valid JSON.');
  }
}

/** Before parsing: the parser itself would follow any depth. */
function checkDepth(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === 0x22) at = endOfString(text, at);
    else if (character === 0x7b || character === 0x5b) depth += 1;
    else if (character === 0x7d || character === 0x5d) depth -= 1;
    if (depth > DEEPEST) refuse('invalid', `The body is nested deeper than ${DEEPEST} levels.`);
  }
}

/** After parsing, so the text is known to be JSON: a string in an object is a key when it follows `{` or `,`. */
function checkKeys(text: string): void {
  const levels: Level[] = [];
  let level: Level | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === 0x22) {
      const end = endOfString(text, at);
      if (level?.keys !== undefined && level.expectsKey) addKey(level.keys, JSON.parse(text.slice(at, end + 1)) as string);
      if (level !== undefined) level.expectsKey = false;
      at = end;
    } else if (character === 0x2c) {
      if (level !== undefined) level.expectsKey = true;
    } else if (character === 0x7b || character === 0x5b) {
      level = character === 0x7b ? { keys: new Set(), expectsKey: true } : { expectsKey: false };
      levels.push(level);
    } else if (character === 0x7d || character === 0x5d) {
      levels.pop();
      level = levels.at(-1);
    }
  }
}

function addKey(keys: Set<string>, key: string): void {
  if (FORBIDDEN_KEYS.has(key)) refuse('unprocessable', 'this name is not allowed.', key);
  if (keys.has(key)) refuse('invalid', 'is given twice.', key);
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

/** Lists of numbers as views of one buffer: another thread takes the buffer over instead of copying every number. */
function packed(value: unknown): unknown {
  const found: Array<{ holder: Record<string | number, unknown>; key: string | number; list: number[] }> = [];
  const root: Record<string, unknown> = { value };
  const pending: object[] = [root];
  for (let holder = pending.pop(); holder !== undefined; holder = pending.pop()) {
    for (const key of Object.keys(holder)) {
      const inner = (holder as Record<string, unknown>)[key];
      if (Array.isArray(inner) && isNumbers(inner)) found.push({ holder: holder as Record<string, unknown>, key, list: inner });
      else if (typeof inner === 'object' && inner !== null) pending.push(inner);
    }
  }
  const numbers = new Float64Array(found.reduce((sum, { list }) => sum + list.length, 0));
  let at = 0;
  for (const { holder, key, list } of found) {
    numbers.set(list, at);
    holder[key] = numbers.subarray(at, at + list.length);
    at += list.length;
  }
  return root.value;
}

function isNumbers(list: unknown[]): list is number[] {
  return list.length >= PACKED_FROM && list.every((each) => typeof each === 'number');
}

/** The one buffer that packed lists share, if there are any. */
function sharedBuffer(value: unknown): ArrayBuffer[] {
  const pending: unknown[] = [value];
  for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
    if (ArrayBuffer.isView(current)) return [current.buffer as ArrayBuffer];
    if (typeof current === 'object' && current !== null)
      for (const inner of Object.values(current)) if (inner !== null) pending.push(inner);
  }
  return [];
}

function refuse(code: JsonFault['code'], message: string, path?: string): never {
  throw new Refusal({ code, path, message });
}

if (workerData === JSON_THREAD) {
  parentPort?.on('message', ({ id, bytes, pack }: JsonTask) => {
    const reading = readJson(bytes, pack);
    parentPort?.postMessage({ id, reading }, pack ? sharedBuffer(reading.value) : []);
  });
}
