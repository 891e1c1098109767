const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** Reads the inside of a JSON string as it comes, from after its opening quote; halves of escapes and of surrogate pairs wait for the rest. */
export class JsonStringReader {
  /** The closing quote has come. */
  closed = false;
  private held = '';
  private high = '';

  push(json: string): string {
    if (this.closed) return '';
    this.held += json;
    let text = '';
    let at = 0;
    while (at < this.held.length && !this.closed) {
      const char = this.held.charAt(at);
      const length = char === '\\' ? (this.held.charAt(at + 1) === 'u' ? 6 : 2) : 1;
      if (at + length > this.held.length) break;
      if (char === '"') this.closed = true;
      else text += this.whole(char === '\\' ? this.unescaped(this.held.slice(at + 1, at + length)) : char);
      at += length;
    }
    this.held = this.held.slice(at);
    return text;
  }

  private unescaped(escape: string): string {
    if (escape.startsWith('u')) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return ESCAPES[escape] ?? escape;
  }

  /** A high surrogate waits for its other half. */
  private whole(unit: string): string {
    const text = this.high + unit;
    this.high = '';
    if (!/[\uD800-\uDBFF]$/u.test(text)) return text.toWellFormed();
    this.high = unit;
    return text.slice(0, -1).toWellFormed();
  }
}
