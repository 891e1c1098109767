/** How the rows of a text are written. */
export interface Dialect {
  delimiter: string;
  quote: string;
  /** Fields of most rows. */
  columns: number;
  /** Whole rows that were looked at. */
  rows: number;
  /** Share of the rows that have exactly so many fields. */
  agreement: number;
  /** Share of the delimiters that white space follows, as it does a comma in prose. */
  spaced: number;
}

const DELIMITERS = [',', ';', '\t', '|'];
const LOOKED_AT = 100;

/** The dialect that fits the beginning of a text best; undefined when no delimiter parts any row. `complete`: the text ends there. */
export function dialectOf(head: string, complete: boolean): Dialect | undefined {
  const quote = quoteOf(head);
  const found = DELIMITERS.map((delimiter) => measured(head, delimiter, quote, complete)).filter((each) => each.columns > 1);
  found.sort((a, b) => b.agreement - a.agreement || b.columns - a.columns);
  const [best] = found;
  // A rare delimiter may agree by chance where another one is everywhere.
  return found.find((each) => best !== undefined && each.agreement >= best.agreement * 0.9 && each.columns > best.columns * 2) ?? best;
}

function measured(head: string, delimiter: string, quote: string, complete: boolean): Dialect {
  const counts: number[] = [];
  let [fields, quoted, spaced, all, rowStart] = [1, false, 0, 0, 0];
  for (let at = 0; at < head.length && counts.length < LOOKED_AT; at += 1) {
    const sign = head[at];
    if (sign === quote && (quoted || at === rowStart || head[at - 1] === delimiter || /\s/u.test(head[at - 1] ?? ''))) quoted = !quoted;
    else if (quoted) continue;
    else if (sign === delimiter) {
      fields += 1;
      all += 1;
      if (head[at + 1] === ' ') spaced += 1;
    } else if (sign === '\n') {
      if (head.slice(rowStart, at).trim() !== '') counts.push(fields);
      [fields, rowStart] = [1, at + 1];
    }
  }
  if (complete && counts.length < LOOKED_AT && head.slice(rowStart).trim() !== '') counts.push(fields);
  const columns = mostFrequent(counts);
  const agreement = counts.filter((count) => count === columns).length / Math.max(1, counts.length);
  return { delimiter, quote, columns, rows: counts.length, agreement, spaced: spaced / Math.max(1, all) };
}

function quoteOf(head: string): string {
  const around = (quote: string): number =>
    head.match(new RegExp(`(?:^|[,;\\t|])${quote}[^${quote}\\n]*${quote}(?=[,;\\t|\\r\\n]|$)`, 'gmu'))?.length ?? 0;
  return around("'") > around('"') ? "'" : '"';
}

function mostFrequent(counts: number[]): number {
  const times = new Map<number, number>();
  for (const count of counts) times.set(count, (times.get(count) ?? 0) + 1);
  return [...times].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0]?.[0] ?? 1;
}
