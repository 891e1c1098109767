/** Characters counted at a stretch, cut where a word ends. */
const SLICE = 8_192;
/** A run without any blank is cut here all the same. */
const LONGEST = 32_768;
/** Milliseconds of counting after which other work gets its turn. */
const BREATH = 4;

/** Adds up counts over the slices of long texts and lets the event loop turn meanwhile. A cut can only add tokens. */
export class Breather {
  private since = performance.now();

  async sum(text: string, count: (part: string) => number, signal: AbortSignal): Promise<number> {
    let sum = 0;
    for (let start = 0; start < text.length; ) {
      const end = cut(text, start);
      sum += count(text.slice(start, end));
      start = end;
      await this.pause();
      signal.throwIfAborted();
    }
    return sum;
  }

  async pause(): Promise<void> {
    if (performance.now() - this.since < BREATH) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.since = performance.now();
  }
}

/** Before a blank, so that it stays with the word behind it; else not inside a surrogate pair. */
function cut(text: string, start: number): number {
  if (text.length - start <= SLICE) return text.length;
  const blank = text.indexOf(' ', start + SLICE);
  if (blank >= 0 && blank - start <= LONGEST) return blank;
  const end = Math.min(text.length, start + LONGEST);
  return /[\uD800-\uDBFF]/.test(text.charAt(end - 1)) ? end - 1 : end;
}
