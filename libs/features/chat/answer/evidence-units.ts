import { sentences, type Passage } from '@features/vectors';
import { likeness, termSet, type TermSet } from './likeness';
import { terms, type Term } from './terms';

/** One sentence, list item or table row of a passage: the smallest thing that can be quoted. */
export interface EvidenceUnit {
  /** Index of the passage in the list given to the question. */
  passage: number;
  /** Place among the units of its passage. */
  place: number;
  /** UTF-16 code units within the passage's text. */
  start: number;
  end: number;
  /** As shown to people: without Markdown marks, a table row with its column names. */
  shown: string;
  heading: string;
  /** A table row stands for itself: two rows together would mix their cells. */
  row: boolean;
  own: TermSet;
  /** The passage around it: headings and all its sentences. */
  around: TermSet;
  /** All its terms in order, and those that say what it is about. */
  terms: Term[];
  content: Term[];
}

const RULE = /^\s*\|?(?:\s*:?-{2,}:?\s*\|)+(?:\s*:?-{2,}:?)?\s*\|?\s*$|^\s*(?:[-*_]\s*){3,}$|^\s*(?:={3,}|-{3,})\s*$/u;
const ROW = /^\s*\|.*\|\s*$/u;
const HEADING = /^\s{0,3}#{1,6}\s/u;

/** The units of passages, in order; headings and table rules are none. */
export function evidenceUnits(passages: Passage[]): EvidenceUnit[] {
  return passages.flatMap((passage, index) => unitsOf(passage, index));
}

function unitsOf(passage: Passage, index: number): EvidenceUnit[] {
  const heading = passage.kind === 'overview' ? '' : lastHeading(passage.heading);
  const context = `${passage.document}\n${passage.heading ?? ''}\n${passage.text}`;
  const around = termSet(terms(context, passage.language), context);
  const units: EvidenceUnit[] = [];
  let columns: string[] | undefined;
  for (const span of shownSpans(passage.text)) {
    const source = passage.text.slice(span.start, span.end);
    if (!ROW.test(source)) columns = undefined;
    else if (span.header) {
      columns = cells(source);
      continue;
    }
    const shown = ROW.test(source) ? rowText(cells(source), columns) : plainText(source);
    if (shown === '') continue;
    const all = terms(shown, passage.language);
    const own = termSet(all, shown);
    const content = all.filter((term) => !term.stop && !term.light);
    units.push({
      passage: index,
      place: units.length,
      start: span.start,
      end: span.end,
      shown,
      heading,
      row: ROW.test(source),
      own,
      around,
      terms: all,
      content,
    });
  }
  return units;
}

/** Spans worth showing; a table's first row is marked when a rule follows it. */
function shownSpans(text: string): { start: number; end: number; header: boolean }[] {
  const spans = sentences(text);
  const sources = spans.map((span) => text.slice(span.start, span.end));
  return spans
    .map((span, index) => ({ ...span, header: ROW.test(sources[index] ?? '') && RULE.test(sources[index + 1] ?? '') }))
    .filter((_, index) => !RULE.test(sources[index] ?? '') && !HEADING.test(sources[index] ?? ''));
}

function lastHeading(path: string | null): string {
  return path?.split(' › ').at(-1)?.trim() ?? '';
}

function cells(row: string): string[] {
  return row
    .trim()
    .replace(/^\||\|$/gu, '')
    .split('|')
    .map(plainText);
}

/** A row reads as its first cell with the other cells under their column's names. */
function rowText(row: string[], columns: string[] | undefined): string {
  const [first = '', ...rest] = row;
  const named = rest.map((cell, index) => {
    const column = columns?.[index + 1] ?? '';
    return column === '' || cell === '' ? cell : `${column}: ${cell}`;
  });
  const tail = named.filter((cell) => cell !== '').join(', ');
  return tail === '' ? first : `${first}: ${tail}`;
}

/** Without list marks, emphasis, code marks, link targets and line breaks. */
export function plainText(source: string): string {
  return source
    .replace(/^\s*(?:[-*+•]|\p{Nd}{1,3}[.)])\s+/u, '')
    .replace(/^\s*(?:>\s*)+/u, '')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/gu, '$1')
    .replace(/(\*{1,3}|_{1,3}|`+)(?=\S)(.*?\S)\1/gu, '$2')
    .replace(/(?<=\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana})[^\S\n]*\n\s*/gu, '')
    .replace(/\s+/gu, ' ')
    .trim();
}

/** How surely a term stands in the unit (1) or at least in the passage around it (at most 0.6). */
export function unitLikeness(term: Term, unit: EvidenceUnit): number {
  const own = likeness(term, unit.own);
  return own === 1 ? own : Math.max(own, 0.6 * likeness(term, unit.around));
}
