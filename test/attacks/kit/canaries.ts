import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..', '..');
/** What no answer may ever show: stacks, statements, drivers' words, password hashes. */
const INSIDES: readonly [string, RegExp][] = [
  ['a stack', /\n\s+at \S.*:\d+:\d+/],
  ['a file of the source', /node_modules|\.(?:ts|js|mjs|cjs):\d+/],
  ['a statement', /\b(?:SELECT\b.+\bFROM|INSERT INTO\b.+\bVALUES|UPDATE\b.+\bSET|DELETE FROM)\b/],
  ['a word of the database', /syntax error at or near|violates (?:foreign key|unique|check|not-null)|relation "\w+"|duplicate key value/],
  ['a word of the system', /\b(?:ENOENT|EACCES|ECONNREFUSED|EISDIR|ENOTDIR)\b/],
  ['a password hash', /\$argon2/],
];

/** Texts and secrets that stand in a victim's things, and nowhere else; finds them, and what shows the server's insides, in an answer. */
export class Canaries {
  /** Stands in every text of the victim. */
  readonly mark = `canary${randomBytes(8).toString('hex')}`;
  private readonly secrets = new Map<string, string>();

  text(label: string): string {
    return `${label} ${this.mark}`;
  }

  /** Secrets that nobody else may see, by what they are. */
  secret(label: string, value: string): string {
    this.secrets.set(label, value);
    return value;
  }

  /** What of it stands in `text`; empty when nothing. */
  found(text: string): string[] {
    const seen = [...this.secrets].filter(([, value]) => text.includes(value)).map(([label]) => label);
    if (text.includes(this.mark)) seen.push(`a text of the victim: …${around(text, this.mark)}…`);
    return [...seen, ...this.insides(text)];
  }

  /** What of the server's insides stands in `text`. */
  insides(text: string): string[] {
    const seen = INSIDES.filter(([, pattern]) => pattern.test(text)).map(([label]) => label);
    if (text.includes(ROOT)) seen.push('a path of this machine');
    return seen;
  }

  expectClean(text: string): void {
    expect(this.found(text)).toEqual([]);
  }
}

function around(text: string, word: string): string {
  const at = text.indexOf(word);
  return text.slice(Math.max(0, at - 80), at + word.length);
}
