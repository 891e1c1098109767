const OPEN_MARKER = /^ ?\[[\d,\s]{0,24}$/u;
const MARKER = /^( ?)\[([\d,\s]*\d[\d,\s]*)\]$/u;

/**
 * Takes markers such as `[2]` out of a stream when no passage has that number, before they are sent. Text inside Markdown code stays as it is:
 * there `[2]` is an index. A piece of text is held back only while it may still become a marker.
 */
export class MarkerFilter {
  private held = '';
  private ticks = 0;
  private code = 0;

  constructor(private readonly passages: number) {}

  push(text: string): string {
    let out = '';
    for (const sign of text) out += this.take(sign);
    return out;
  }

  /** What was held back at the end of the text. */
  end(): string {
    const out = this.held;
    this.held = '';
    return out;
  }

  private take(sign: string): string {
    if (sign === '`') return this.tick();
    this.closeTicks();
    if (this.code > 0) return sign;
    const candidate = this.held + sign;
    if (candidate === ' ' || OPEN_MARKER.test(candidate)) {
      this.held = candidate;
      return '';
    }
    const marker = MARKER.exec(candidate);
    if (marker !== null) {
      this.held = '';
      return this.resolved(marker[1] ?? '', marker[2] ?? '');
    }
    const out = this.end();
    return out + (sign === ' ' || sign === '[' ? this.take(sign) : sign);
  }

  private resolved(space: string, numbers: string): string {
    const known = numbers.split(/[\s,]+/u).filter((number) => number !== '' && Number(number) >= 1 && Number(number) <= this.passages);
    return known.length === 0 ? '' : `${space}[${known.join(', ')}]`;
  }

  private tick(): string {
    this.ticks += 1;
    return `${this.end()}\``;
  }

  /** A run of backticks opens code that a run of the same length closes. */
  private closeTicks(): void {
    if (this.ticks === 0) return;
    if (this.code === 0) this.code = this.ticks;
    else if (this.code === this.ticks) this.code = 0;
    this.ticks = 0;
  }
}
