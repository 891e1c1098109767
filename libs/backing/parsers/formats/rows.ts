import { ParseFault } from './parse-fault';
import { MOST_CHARACTERS } from './parsed-text';

/** Rows that a table may have: making more of them searchable would take hours. */
export const MOST_ROWS = 100_000;

/** Collects the lines of a text within the limits. Every line is an item of a list, which stays whole when the text is cut into chunks. */
export class Rows {
  private readonly lines: string[] = [];
  private characters = 0;
  private items = 0;

  /** A row as `column: value` pairs. */
  add(pairs: string[]): void {
    if (pairs.length === 0) return;
    this.items += 1;
    if (this.items > MOST_ROWS) {
      throw new ParseFault(
        'too_large',
        `The file has more than ${MOST_ROWS} rows: split it into several documents, or keep such tables in a database.`,
      );
    }
    this.line(`- ${pairs.join('; ')}`);
  }

  /** A line that is no row. */
  line(text: string): void {
    this.characters += text.length + 1;
    if (this.characters > MOST_CHARACTERS)
      throw new ParseFault('too_large', `The file has more than ${MOST_CHARACTERS} characters of text.`);
    this.lines.push(text);
  }

  text(): string {
    return this.lines.join('\n');
  }
}

/** A value on one line. */
export function flat(value: string): string {
  return value.replace(/\s+/gu, ' ').trim();
}
