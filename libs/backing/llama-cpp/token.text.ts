import type { Token } from 'node-llama-cpp' with { 'resolution-mode': 'import' };

/** No character takes more tokens than this; what is still broken then is what the model wrote. */
const LONGEST_CHARACTER = 8;
const CONTEXT = 3;

/** Turns tokens into text as they come, holding back tokens that end inside a character. */
export class TokenText {
  private pending: Token[] = [];
  private recent: Token[] = [];

  constructor(private readonly detokenize: (tokens: Token[], special: boolean, last: Token[]) => string) {}

  /** The text that is complete now; may be empty. */
  push(token: Token): string {
    this.pending.push(token);
    const text = this.detokenize(this.pending, false, this.recent);
    return text.endsWith('\uFFFD') && this.pending.length < LONGEST_CHARACTER ? '' : this.take(text);
  }

  /** What was held back at the end, without a half character. */
  rest(): string {
    return this.take(this.detokenize(this.pending, false, this.recent)).replace(/\uFFFD+$/, '');
  }

  private take(text: string): string {
    this.recent = [...this.recent, ...this.pending].slice(-CONTEXT);
    this.pending = [];
    return text;
  }
}
