import { decode } from './encoding';
import { ParseFault } from './parse-fault';
import type { ParsedText, ParseRequest } from './parsed-text';
import { Rows, flat } from './rows';

const DEEPEST = 100;
/** Numbers that are written otherwise than they would be after reading them: long ones, with zeros at their end, with an exponent. */
const EXACT_NUMBER = /\d{16}|\.\d*0(?!\d)|\d[eE]/u;

type Parsed = string | number | boolean | null | Parsed[] | { [key: string]: Parsed };

/** Reads JSON, or JSON in lines, as text: a line for each value with its path; of an array of objects a line for each object. */
export function parse({ bytes, charset }: ParseRequest): ParsedText {
  const text = decode(bytes, charset).replace(/^\ufeff/u, '');
  const rows = new Rows();
  write(rows, '', valueOf(text));
  return { text: rows.text(), title: null, pages: null, markdown: false, columns: null };
}

function valueOf(text: string): Parsed {
  if (isTooDeep(text)) throw new ParseFault('unprocessable', `The JSON is nested more than ${DEEPEST} levels deep.`);
  try {
    return read(text);
  } catch (error) {
    const lines = linesOf(text);
    if (lines !== undefined) return lines;
    throw new ParseFault('unprocessable', `The JSON is not valid: ${faultOf(error, text)}.`);
  }
}

/** Of the library's message only the place: the rest repeats the content. */
function faultOf(error: unknown, text: string): string {
  const message = error instanceof Error ? error.message : '';
  const place = /position (\d+)/u.exec(message)?.[1];
  if (/end of JSON/u.test(message) || Number(place) >= text.trimEnd().length) return 'it is truncated';
  return place === undefined ? 'a value in it is none' : `the fault is at character ${place}`;
}

/** Every line that is not empty is a value of its own. */
function linesOf(text: string): Parsed[] | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length < 2) return undefined;
  const values: Parsed[] = [];
  for (const [index, line] of lines.entries()) {
    try {
      values.push(read(line));
    } catch {
      // Of JSON that is written over several lines not even the first is a value.
      if (index === 0) return undefined;
      throw new ParseFault('unprocessable', `The JSON lines are not valid: line ${index + 1} is no JSON value.`);
    }
  }
  return values;
}

function read(text: string): Parsed {
  if (!EXACT_NUMBER.test(text)) return JSON.parse(text) as Parsed;
  const exact = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && context?.source !== undefined && String(value) !== context.source ? context.source : value;
  return JSON.parse(text, exact) as Parsed;
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === 0x5c) at += 1;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x7b || code === 0x5b) depth += 1;
    else if (code === 0x7d || code === 0x5d) depth -= 1;
    else if (code === 0x0a && depth < 0) depth = 0;
    if (depth > DEEPEST) return true;
  }
  return false;
}

function write(rows: Rows, path: string, value: Parsed): void {
  if (isList(value)) {
    const inline = listed(value);
    if (inline !== undefined) return rows.add(path === '' ? value.map(scalar) : [`${path}: ${inline}`]);
    for (const [index, item] of value.entries()) writeItem(rows, `${path}[${index}]`, path === '', item);
  } else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) write(rows, join(path, key), item);
  } else if (hasText(value)) rows.add([path === '' ? scalar(value) : `${path}: ${scalar(value)}`]);
}

/** A row of a table; at the top its number says nothing. */
function writeItem(rows: Rows, path: string, top: boolean, item: Parsed): void {
  const pairs: string[] = [];
  flatten(pairs, '', item);
  if (pairs.length > 0 && !top) pairs[0] = `${path}: ${pairs[0]}`;
  rows.add(pairs);
}

function flatten(pairs: string[], path: string, value: Parsed): void {
  if (isList(value)) {
    const inline = listed(value);
    if (inline === undefined) value.forEach((item, index) => flatten(pairs, `${path}[${index}]`, item));
    else if (inline !== '') pairs.push(path === '' ? inline : `${path}: ${inline}`);
  } else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) flatten(pairs, join(path, key), item);
  } else if (hasText(value)) pairs.push(path === '' ? scalar(value) : `${path}: ${scalar(value)}`);
}

/** The values of a list that holds no further ones, on one line. */
function listed(values: Parsed[]): string | undefined {
  if (values.some((value) => typeof value === 'object' && value !== null)) return undefined;
  return values.filter(hasText).map(scalar).join(', ');
}

function isList(value: Parsed): value is Parsed[] {
  return Array.isArray(value);
}

function isRecord(value: Parsed): value is { [key: string]: Parsed } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasText(value: Parsed): boolean {
  return value !== null && flat(String(value)) !== '';
}

function scalar(value: Parsed): string {
  return flat(String(value));
}

function join(path: string, key: string): string {
  return path === '' ? flat(key) : `${path}.${flat(key)}`;
}
