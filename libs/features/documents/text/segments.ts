/** A stretch of the text that can be read on its own. */
export interface Segment {
  start: number;
  end: number;
  /** Lines of code or of front matter: no headings, no sentences. */
  code: boolean;
}

/** Characters from which the next blank line ends a segment, and those after which any line end, and then any character, does. */
const SHORT = 2_048;
const LONG = 6_144;
const LONGEST = 8_192;
const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/u;

/**
 * Cuts a text into segments of a few KiB at blank lines, so that reading one never takes long. Fenced code and front matter become segments
 * of their own; joined, the segments are the text.
 */
export function* segments(text: string, markdown: boolean): Generator<Segment> {
  let start = 0;
  let at = 0;
  let fence: string | undefined;
  if (markdown) {
    at = frontMatterEnd(text);
    if (at > 0) yield { start, end: at, code: true };
    start = at;
  }
  while (at < text.length) {
    const end = lineEnd(text, at);
    const line = text.slice(at, Math.min(end, at + 200)).replace(/[\r\n]+$/u, '');
    const edge = markdown ? fenceOf(line, fence) : undefined;
    if (edge === 'opens' && at > start) {
      yield { start, end: at, code: false };
      start = at;
    }
    const wasCode = fence !== undefined || edge === 'opens';
    if (edge === 'opens') fence = FENCE.exec(line)?.[1];
    at = end;
    for (; at - start > LONGEST; start = cutBefore(text, start + LONGEST))
      yield { start, end: cutBefore(text, start + LONGEST), code: wasCode };
    if (edge === 'closes') fence = undefined;
    const full = at - start >= LONG || (at - start >= SHORT && !wasCode && line.trim() === '');
    if (edge === 'closes' || full) {
      yield { start, end: at, code: wasCode };
      start = at;
    }
  }
  if (start < text.length) yield { start, end: text.length, code: fence !== undefined };
}

function fenceOf(line: string, open: string | undefined): 'opens' | 'closes' | undefined {
  const found = FENCE.exec(line);
  const marks = found?.[1];
  if (marks === undefined) return undefined;
  if (open === undefined) return marks.startsWith('`') && found?.[2]?.includes('`') === true ? undefined : 'opens';
  return marks[0] === open[0] && marks.length >= open.length && found?.[2]?.trim() === '' ? 'closes' : undefined;
}

/** Offset after `---` … `---` at the very beginning, 0 when there is none. */
function frontMatterEnd(text: string): number {
  const found = /^---[ \t]*\r?\n(?:[^\n]*\n){0,100}?---[ \t]*(?:\r?\n|$)/u.exec(text.slice(0, LONGEST));
  return found === null ? 0 : found[0].length;
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end + 1;
}

/** At or before `limit`: after the last white space of the stretch, else between two characters. */
function cutBefore(text: string, limit: number): number {
  for (let at = limit; at > limit - LONGEST / 4; at -= 1) if (/\s/u.test(text.charAt(at - 1))) return at;
  return isInsidePair(text, limit) ? limit - 1 : limit;
}

export function isInsidePair(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1);
  const after = text.charCodeAt(at);
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff;
}
