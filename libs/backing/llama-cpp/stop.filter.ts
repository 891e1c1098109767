/** Ends a stream of text at the first of several stop strings, which may come in pieces; nothing of it is let out. */
export class StopFilter {
  private held = '';
  stopped = false;

  constructor(private readonly stops: readonly string[]) {}

  /** The part of the text so far that cannot belong to a stop string. */
  push(text: string): string {
    if (this.stopped) return '';
    this.held += text;
    const ends = this.stops.map((stop) => this.held.indexOf(stop)).filter((index) => index >= 0);
    if (ends.length > 0) {
      this.stopped = true;
      return this.release(Math.min(...ends));
    }
    return this.release(this.held.length - Math.max(0, ...this.stops.map((stop) => overlap(this.held, stop))));
  }

  rest(): string {
    return this.stopped ? '' : this.release(this.held.length);
  }

  private release(length: number): string {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return text;
  }
}

/** How many characters at the end of `text` are the beginning of `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
