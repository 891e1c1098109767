import { dialectOf } from '@backing/parsers';

export type TextMediaType = 'text/plain' | 'text/markdown' | 'text/html' | 'text/csv' | 'application/json';

const PREAMBLE = String.raw`^\s*(?:<\?xml[^>]*\?>\s*|<!--[\s\S]{0,4000}?-->\s*){0,8}`;
/** A page that says so, and one that begins with an element of pages. */
const PAGE = new RegExp(`${PREAMBLE}<(?:!doctype\\s+html|html|head|body)[\\s>]`, 'iu');
const ELEMENT = new RegExp(
  `${PREAMBLE}<(?:title|meta|link|script|style|main|article|section|nav|header|footer|div|p|h[1-6]|table|ul|ol|dl|span|center|font|form|a|b|i|img|br|hr)(?:\\s[^<>]*)?/?>`,
  'iu',
);
const CLOSING = /<\/(?:div|p|h[1-6]|table|tr|td|ul|ol|li|span|section|article|main|body|html|a|b|font|center)\s*>|<br\s*\/?>/giu;
const MARKDOWN =
  /^ {0,3}#{1,6}[ \t]+\S|^ {0,3}(?:`{3,}|~{3,})|^ {0,3}\S.*\r?\n {0,3}(?:={3,}|-{3,})[ \t]*$|^ {0,3}\|?[ \t]*:?-{3,}:?[ \t]*\||\[[^\]\n]+\]\([^)\s]+\)/mu;
/** Beginnings that no prose has. */
const JSON_BEGINNING =
  /^\s*(?:\{\s*(?:\}\s*$|"(?:[^"\\\n]|\\.){0,200}"\s*:)|\[\s*(?:\]\s*$|\{\s*["}]|\[|"(?:[^"\\\n]|\\.)*"\s*[,\]]|-?\d[\d.eE+-]*\s*[,\]]\s*[-\d"{[\]]|(?:true|false|null)\s*[,\]]))/u;
/** A header that stands over columns. */
const LONGEST_NAME = 60;

/** The kind of a text by its beginning; the name's extension decides where that leaves it open. `complete`: the text ends there. */
export function kindOfText(head: string, name: string, complete: boolean): TextMediaType {
  const extension = /\.([a-z0-9]{1,8})$/iu.exec(name)?.[1]?.toLowerCase() ?? '';
  const text = head.replace(/^\ufeff/u, '');
  const markdown = MARKDOWN.test(text);
  if (PAGE.test(text)) return 'text/html';
  if (isPiece(text) && !(markdown || isMarkdown(extension))) return 'text/html';
  if (JSON_BEGINNING.test(text) && (isJson(extension) || isSound(text, complete))) return 'application/json';
  if (isMarkdown(extension)) return 'text/markdown';
  if (isTable(extension) || (!markdown && hasRows(text, complete))) return 'text/csv';
  if (/^x?html?$/u.test(extension) && /<[a-z!/]/iu.test(text)) return 'text/html';
  return markdown ? 'text/markdown' : 'text/plain';
}

const isMarkdown = (extension: string): boolean => /^(?:md|markdown|mdx)$/u.test(extension);
const isJson = (extension: string): boolean => /^(?:json|jsonl|ndjson|geojson)$/u.test(extension);
const isTable = (extension: string): boolean => /^(?:csv|tsv)$/u.test(extension);

function isPiece(text: string): boolean {
  return ELEMENT.test(text) && (text.match(CLOSING)?.length ?? 0) >= 2;
}

/** Valid as far as it can be seen: all of it, or its first line of several. */
function isSound(text: string, complete: boolean): boolean {
  const [line = ''] = text.trim().split('\n', 1);
  return !complete || isValid(text) || (isValid(line) && text.includes('\n'));
}

function isValid(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}

/** At least three rows, all of as many fields, under short names; in prose commas are followed by spaces. */
function hasRows(text: string, complete: boolean): boolean {
  const dialect = dialectOf(text, complete);
  if (dialect === undefined || dialect.delimiter === '|' || dialect.rows < 3 || dialect.agreement < 1) return false;
  if (dialect.delimiter === ',' && (dialect.columns < 3 || dialect.spaced > 0.5)) return false;
  const names = (text.trimStart().split(/\r?\n/u, 1)[0] ?? '').split(dialect.delimiter);
  return names.every((name) => name.trim() !== '' && name.length <= LONGEST_NAME);
}
