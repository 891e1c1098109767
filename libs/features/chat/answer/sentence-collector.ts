import { sentences } from '@features/vectors';

/** Longest piece that is released at once, in UTF-16 code units. */
export const LONGEST_SENTENCE = 400;

/** Gathers a stream of text into whole sentences of at most 400 characters. */
export class SentenceCollector {
  private buffer = '';

  /** The sentences that are complete by now: something stands after them. */
  push(text: string): string[] {
    this.buffer += text;
    const spans = sentences(this.buffer);
    const complete = spans.slice(0, -1);
    const found = complete.map(({ start, end }) => this.buffer.slice(start, end));
    const last = spans.at(-1);
    this.buffer = complete.length === 0 ? this.buffer : this.buffer.slice(last?.start ?? this.buffer.length);
    found.push(...this.overlong());
    return found;
  }

  /** What is left when the text has ended. */
  rest(): string[] {
    const left = this.buffer;
    this.buffer = '';
    return sentences(left).map(({ start, end }) => left.slice(start, end));
  }

  private overlong(): string[] {
    const pieces: string[] = [];
    while (this.buffer.length > LONGEST_SENTENCE) {
      const space = this.buffer.lastIndexOf(' ', LONGEST_SENTENCE);
      const piece = space > 0 ? this.buffer.slice(0, space) : this.buffer.slice(0, wholeSigns(this.buffer, LONGEST_SENTENCE));
      pieces.push(piece.trim());
      this.buffer = this.buffer.slice(piece.length);
    }
    return pieces;
  }
}

/** At most `length` code units, and no half of a surrogate pair. */
function wholeSigns(text: string, length: number): number {
  const last = text.charCodeAt(length - 1);
  return last >= 0xd800 && last <= 0xdbff ? length - 1 : length;
}
