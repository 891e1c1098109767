import { CsvError, parse as parseRows } from 'csv-parse/sync';
import { dialectOf } from './delimiter';
import { decode } from './encoding';
import { ParseFault } from './parse-fault';
import type { ParsedText, ParseRequest } from './parsed-text';
import { flat, Rows } from './rows';

const HEAD = 65_536;
/** Characters of one row: an open quote swallows everything after it. */
const LONGEST_ROW = 1_048_576;
/** Rows by which the header is told, and the most lines that may stand above it. */
const LOOKED_AT = 20;
const MOST_ABOVE = 5;
const VALUE = /^[-+]?[\d\s.,'%€$£]*\d[\d\s.,'%€$£]*$|^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|^(?:true|false|yes|no)$|@|^https?:/iu;

/** Reads a table row by row: each becomes a line that names its columns. Never holds more of the table than its text. */
export function parse({ bytes, charset, name }: ParseRequest): ParsedText {
  const { text, delimiter, quote } = written(decode(bytes, charset).replace(/^\ufeff/u, ''), name);
  const table = new Table();
  const options = { delimiter, quote, relax_column_count: true, relax_quotes: true, skip_empty_lines: true, max_record_size: LONGEST_ROW };
  try {
    parseRows(text, {
      ...options,
      on_record: (cells: string[]) => {
        table.take(cells.map(flat));
        return null;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new ParseFault(
      'unprocessable',
      `The table cannot be read: in line ${error.lines} a quote is open that nothing closes, or a row is too long.`,
    );
  }
  return { ...table.finish(), title: null, pages: null, markdown: false };
}

function written(text: string, name: string): { text: string; delimiter: string; quote: string } {
  // A first line by which spreadsheet programs say what parts the columns.
  const said = /^sep=(.)\r?\n/u.exec(text);
  const rest = said === null ? text : text.slice(said[0].length);
  const dialect = dialectOf(rest.slice(0, HEAD), rest.length <= HEAD);
  const delimiter = said?.[1] ?? dialect?.delimiter ?? (/\.tsv$/iu.test(name) ? '\t' : ',');
  return { text: rest, delimiter, quote: dialect?.quote ?? '"' };
}

/** Takes rows in order; decides after the first few which of them names the columns. */
class Table {
  private readonly rows = new Rows();
  private columns: string[] | null = null;
  private waiting: string[][] | undefined = [];

  take(cells: string[]): void {
    if (this.waiting === undefined) return this.write(cells);
    this.waiting.push(cells);
    if (this.waiting.length > LOOKED_AT) this.decide(this.waiting);
  }

  finish(): { text: string; columns: string[] | null } {
    if (this.waiting !== undefined) this.decide(this.waiting);
    return { text: this.rows.text(), columns: this.columns };
  }

  private decide(first: string[][]): void {
    this.waiting = undefined;
    const width = Math.max(...first.map(filled), 0);
    // Titles and notes above the header fill a cell or two of a wide table.
    const above = first.findIndex((cells) => filled(cells) >= Math.max(width * 0.6, Math.min(width, 2)));
    const start = above > 0 && above <= MOST_ABOVE && width > 2 ? above : 0;
    for (const cells of first.slice(0, start)) if (filled(cells) > 0) this.rows.line(cells.filter((cell) => cell !== '').join(' '));
    if (start > 0) this.rows.line('');
    const [header = [], ...others] = first.slice(start);
    const named = isHeader(header, others);
    if (named) this.columns = header.map((name, index) => (name === '' ? unnamed(index) : name));
    for (const cells of named ? others : [header, ...others]) this.write(cells);
  }

  private write(cells: string[]): void {
    const { columns } = this;
    const pairs = cells.map((cell, index) => (cell === '' ? '' : columns === null ? cell : `${columns[index] ?? unnamed(index)}: ${cell}`));
    this.rows.add(pairs.filter((pair) => pair !== ''));
  }
}

function unnamed(index: number): string {
  return `Column ${index + 1}`;
}

function filled(cells: string[]): number {
  return cells.filter((cell) => cell !== '').length;
}

/** Names are words, mostly there, and each once; a column of values under a word settles it. */
function isHeader(header: string[], others: string[][]): boolean {
  const names = header.filter((name) => name !== '');
  if (others.length === 0 || names.length < header.length * 0.7 || new Set(names).size < names.length * 0.7) return false;
  return names.every((name) => !VALUE.test(name) && name.length <= 120);
}
