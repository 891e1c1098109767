import { raisedNumber } from './raised';

/** A piece of text at its place on a page, as pdf.js answers it. */
export interface PositionedItem {
  str: string;
  dir: string;
  width: number;
  height: number;
  transform: number[];
}

/** Items on one baseline. Lengths are points along and across the direction of writing. */
export interface PdfLine {
  text: string;
  start: number;
  end: number;
  baseline: number;
  size: number;
  /** Direction of writing in whole degrees. */
  angle: number;
}

/** Shares of the font's size: from the first on a gap is a space, from the second on it is a gap between columns. */
const SPACE = 0.2;
const COLUMN = 1;
/** Baselines that differ by less are one line: room for raised and lowered signs. */
const SAME_LINE = 0.45;
/** A paragraph begins after this multiple of the usual distance of lines. */
const PARAGRAPH = 1.25;
/** Rows of one table are at most this multiple of the font's size apart. */
const ROWS = 3;
/** The share of all distances of lines that is the usual one at most: between paragraphs they are larger. */
const USUAL = 0.3;
/** A raised number is smaller than its line and stands above its baseline. */
const RAISED_SIZE = 0.8;
const RAISED_BY = 0.15;
/** A line of another size is no part of the paragraph above it. */
const SIZE_CHANGE = 1.12;

/** The lines of a page in the order of its content, spaces restored from the gaps. */
export function linesOf(items: PositionedItem[]): PdfLine[] {
  const lines: PdfLine[] = [];
  let open: PdfLine | undefined;
  let blank = false;
  for (const item of items) {
    const empty = item.str.trim() === '';
    // Spaces of their own may be as wide as the gap between two columns: what counts is where the next piece begins.
    if (empty) blank ||= item.str !== '';
    if (empty) continue;
    const piece = placed(item);
    if (open !== undefined && continues(open, piece)) extend(open, piece, blank);
    else lines.push((open = piece));
    blank = false;
  }
  for (const line of lines) line.text = tidy(line.text);
  return lines.filter((line) => line.text !== '');
}

/** Single spaces; a bullet or number is parted from its item by one, whatever font the bullet is of. */
function tidy(text: string): string {
  return text
    .replace(/ {2,}/gu, ' ')
    .replace(/ *\t */gu, '\t')
    .trim()
    .replace(/^[\uf0a7\uf0b7\uf0d8\uf076\ue000-\uf8ff](?=\s)/u, '•')
    .replace(/^([•▪◦●○‣–-]|\d{1,3}[.)]?)\t/u, '$1 ');
}

function placed({ str, width, height, transform }: PositionedItem): PdfLine {
  const [a = 1, b = 0, c = 0, d = 1, x = 0, y = 0] = transform;
  const length = Math.hypot(a, b) || 1;
  const along = (x * a + y * b) / length;
  const size = Math.hypot(c, d) || height || 1;
  return {
    text: str,
    start: along,
    end: along + width,
    baseline: (y * a - x * b) / length,
    size,
    angle: Math.round((Math.atan2(b, a) * 180) / Math.PI),
  };
}

function continues(line: PdfLine, piece: PdfLine): boolean {
  if (line.angle !== piece.angle) return false;
  return Math.abs(line.baseline - piece.baseline) < SAME_LINE * Math.max(line.size, piece.size);
}

function extend(line: PdfLine, piece: PdfLine, blank: boolean): void {
  const size = Math.max(line.size, piece.size);
  // Text that is written leftwards goes on to the left of what is there.
  const gap = Math.max(piece.start - line.end, line.start - piece.end);
  const spaced = /\s$/u.test(line.text) || /^\s/u.test(piece.text);
  const raised = piece.size < RAISED_SIZE * line.size && piece.baseline - line.baseline > RAISED_BY * line.size;
  if (gap > COLUMN * size) line.text += '\t';
  else if (!spaced && (blank || gap > SPACE * size)) line.text += ' ';
  line.text += raised ? raisedNumber(line.text, piece.text) : piece.text;
  line.start = Math.min(line.start, piece.start);
  line.end = Math.max(line.end, piece.end);
  if (!raised && piece.size > line.size) line.baseline = piece.baseline;
  line.size = size;
}

/** The usual distance of two lines of a document, as a multiple of their font's size. */
export function spacingOf(pages: PdfLine[][]): number {
  const ratios: number[] = [];
  for (const lines of pages) {
    for (const [index, line] of lines.entries()) {
      const before = lines[index - 1];
      const distance = before === undefined ? 0 : before.baseline - line.baseline;
      if (before !== undefined && distance > 0 && alike(before, line) && distance < 3 * line.size) ratios.push(distance / line.size);
    }
  }
  ratios.sort((a, b) => a - b);
  return ratios[Math.floor(ratios.length * USUAL)] ?? 1.2;
}

/** Lines under each other, an empty line between paragraphs. */
export function textOf(lines: PdfLine[], spacing: number): string {
  let text = '';
  for (const [index, line] of lines.entries()) {
    const before = lines[index - 1];
    if (before !== undefined) text += begins(before, line, spacing) ? '\n\n' : '\n';
    text += line.text;
  }
  return text;
}

function begins(before: PdfLine, line: PdfLine, spacing: number): boolean {
  if (!alike(before, line)) return true;
  const distance = before.baseline - line.baseline;
  // Rows of a table stand further apart than lines.
  if (before.text.includes('\t') && line.text.includes('\t') && distance > 0) return distance > ROWS * line.size;
  // Upwards: the next column, in which the paragraph may go on.
  return distance > PARAGRAPH * spacing * line.size;
}

function alike(a: PdfLine, b: PdfLine): boolean {
  return Math.max(a.size, b.size) / Math.min(a.size, b.size) < SIZE_CHANGE;
}
