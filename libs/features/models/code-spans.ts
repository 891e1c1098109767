const FENCE = /^\s*(`{3,}|~{3,})/u;

/**
 * Follows Markdown code in a stream, one sign after the other, as far as it decides whether a tag there is text (CommonMark 0.31, 4.5 and 6.1):
 * fenced blocks, and spans between runs of backticks that end at the latest with their line.
 */
export class CodeSpans {
  private line = '';
  private fence = '';
  private span = 0;
  private run = 0;

  /** Whether the next sign stands in code, when it is no backtick. */
  get inside(): boolean {
    return this.opensFence() || this.fence !== '' || this.spanAfterRun() > 0;
  }

  push(sign: string): void {
    if (sign === '\n') return this.endLine();
    if (sign === '`') this.run += 1;
    else {
      this.span = this.spanAfterRun();
      this.run = 0;
    }
    this.line += sign;
  }

  private endLine(): void {
    const marks = FENCE.exec(this.line)?.[1];
    if (this.fence === '') this.fence = this.opensFence() ? (marks ?? '') : '';
    else if (marks?.startsWith(this.fence) === true && this.line.trim() === marks) this.fence = '';
    this.line = '';
    this.span = 0;
    this.run = 0;
  }

  /** A line of backticks with another backtick behind it is a span. */
  private opensFence(): boolean {
    const marks = this.fence === '' ? FENCE.exec(this.line)?.[1] : undefined;
    return marks !== undefined && (marks.startsWith('~') || !this.line.trimStart().slice(marks.length).includes('`'));
  }

  /** A run of backticks opens a span that a run of the same length closes. */
  private spanAfterRun(): number {
    if (this.run === 0) return this.span;
    if (this.span === 0) return this.run;
    return this.span === this.run ? 0 : this.span;
  }
}
