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
    if (open !== undefined && continues(open, piece)) extend(open, piece, blank, item.dir === 'rtl');
    else lines.push((open = piece));
    blank = false;
  }
  for (const line of lines)
    line.text = line.text
      .replace(/ {2,}/gu, ' ')
      .replace(/ *\t */gu, '\t')
      .trim();
  return lines.filter((line) => line.text !== '');
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

function extend(line: PdfLine, piece: PdfLine, blank: boolean, leftwards: boolean): void {
  const gap = leftwards ? line.start - piece.end : piece.start - line.end;
  const size = Math.max(line.size, piece.size);
  const spaced = /\s$/u.test(line.text) || /^\s/u.test(piece.text);
  // Text that goes back on its own line, as in a table drawn column by column, stands apart as well.
  const far = gap > COLUMN * size || gap < -COLUMN * size;
  if (far) line.text += '\t';
  else if (!spaced && (blank || gap > SPACE * size)) line.text += ' ';
  line.text += piece.text;
  line.start = Math.min(line.start, piece.start);
  line.end = Math.max(line.end, piece.end);
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
  return ratios[Math.floor(ratios.length / 2)] ?? 1.2;
}

/** Lines under each other, an empty line between paragraphs. */
export function textOf(lines: PdfLine[], spacing: number): string {
  let text = '';
  for (const [index, line] of lines.entries()) {
    const before = lines[index - 1];
    if (before !== undefined) text += begins(before, line, spacing) ? '\n\n' : '\n';
    text += line.text;
  }
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

function begins(before: PdfLine, line: PdfLine, spacing: number): boolean {
  if (!alike(before, line)) return true;
  const distance = before.baseline - line.baseline;
  // Upwards: the next column, in which the paragraph may go on.
  return distance > PARAGRAPH * spacing * line.size;
}

function alike(a: PdfLine, b: PdfLine): boolean {
  return Math.max(a.size, b.size) / Math.min(a.size, b.size) < SIZE_CHANGE;
}
