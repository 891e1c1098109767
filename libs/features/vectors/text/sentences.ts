export interface Span {
  /** UTF-16 code units. */
  start: number;
  end: number;
}

const SEGMENTER = new Intl.Segmenter('en', { granularity: 'sentence' });
const BLANK = /^\s*$/u;
const FENCE = /^ {0,3}(?:`{3,}|~{3,})/u;
const HEADING = /^ {0,3}#{1,6}(?:\s|$)/u;
const UNDERLINE = /^ {0,3}(?:=+|-{2,})\s*$/u;
const ITEM = /^\s*(?:[-*+•‣◦]|\p{Nd}{1,9}[.)])\s+/u;
const ROW = /^\s*\||^(?=.*\|.*\|)/u;
/** A segment that ends like this goes on: abbreviations, initials, ordinals before a lower-case or unclear next word. */
const OPEN_END =
  /(?:^|[\s(„"'])(?:\p{Lu}|[Dd]r|[Pp]rof|[Mm]rs?|[Mm]s|[Ss]t|[Nn]r|[Nn]o|[Ff]ig|[Pp]p?|[Ss]|[Aa]bs|[Aa]rt|[Bb]zw|[Cc]a|[Ee]tc|[Uu]sw|[Vv]gl|[Vv]s|[Ii]nkl|[Ee]v|[zdu]|[zd]\. ?[BhR]|[eE]\.g|[iI]\.e|[Cc]f|[Aa]pprox|[Ii]nc|[Ll]td|[Cc]o)\.\s*$/u;
const ORDINAL = /(?:^|\s)\p{Nd}{1,2}\.\s*$/u;
const MONTH = /^(?:[JFMASOND]\p{Ll}{2,8})/u;

/**
 * Splits a text into sentences; headings, list items, table rows and lines of code are units of their own. Nothing but white space lies outside
 * the spans, which come in order and do not overlap. Sentence ends by Unicode UAX 29 (`Intl.Segmenter`), mended for abbreviations.
 */
export function sentences(text: string): Span[] {
  const spans: Span[] = [];
  for (const block of blocks(text)) {
    if (block.prose) spans.push(...proseSentences(text, block));
    else pushTrimmed(spans, text, block.start, block.end);
  }
  return spans;
}

interface Block extends Span {
  prose: boolean;
}

/** Lines joined to blocks: a paragraph (prose), or one heading, item, row or line of code. */
function blocks(text: string): Block[] {
  const found: Block[] = [];
  let open: Block | undefined;
  let fenced = false;
  const close = (): void => {
    if (open !== undefined) found.push(open);
    open = undefined;
  };
  for (const line of lines(text)) {
    const content = text.slice(line.start, line.end);
    const fence = FENCE.test(content);
    if (fence || fenced) {
      close();
      found.push({ ...line, prose: false });
      fenced = fence ? !fenced : fenced;
    } else if (BLANK.test(content)) close();
    else if (HEADING.test(content) || ROW.test(content) || (UNDERLINE.test(content) && open === undefined)) {
      close();
      found.push({ ...line, prose: false });
    } else if (UNDERLINE.test(content) && open !== undefined) {
      open.end = line.end;
      open.prose = false;
      close();
    } else if (ITEM.test(content)) {
      close();
      open = { ...line, prose: false };
    } else if (open === undefined) open = { ...line, prose: true };
    else open.end = line.end;
  }
  close();
  return found;
}

/** Lines without their ends, by LF, CR LF and CR. */
function* lines(text: string): Generator<Span> {
  const end = /\r\n|\n|\r/g;
  let start = 0;
  for (let match = end.exec(text); match !== null; match = end.exec(text)) {
    yield { start, end: match.index };
    start = end.lastIndex;
  }
  if (start < text.length) yield { start, end: text.length };
}

function proseSentences(text: string, block: Block): Span[] {
  // A line break inside a paragraph ends no sentence, although UAX 29 says so: same length, so that offsets stay.
  const prose = text.slice(block.start, block.end).replace(/[\r\n\u0085\u2028\u2029]/gu, ' ');
  const spans: Span[] = [];
  let start = 0;
  for (const { segment, index } of SEGMENTER.segment(prose)) {
    const end = index + segment.length;
    if (end < prose.length && goesOn(prose.slice(Math.max(start, end - 24), end), prose.slice(end, end + 12))) continue;
    pushTrimmed(spans, text, block.start + start, block.start + end);
    start = end;
  }
  return spans;
}

function goesOn(ending: string, next: string): boolean {
  return OPEN_END.test(ending) || (ORDINAL.test(ending) && MONTH.test(next));
}

function pushTrimmed(spans: Span[], text: string, start: number, end: number): void {
  const content = text.slice(start, end);
  const from = start + (content.length - content.trimStart().length);
  const to = start + content.trimEnd().length;
  if (to > from) spans.push({ start: from, end: to });
}
