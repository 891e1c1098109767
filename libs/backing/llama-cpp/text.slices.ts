/** Characters of one slice: a few milliseconds of tokenizing at most. */
const SLICE = 8_192;
/** A run without any boundary is cut here all the same: no word is that long. */
const LONGEST = 32_768;
/** Between a letter or digit and white space or punctuation every tokenizer of the catalogue (WordPiece, byte pairs) ends a word. */
const BOUNDARY = /[\p{L}\p{N}](?=[\s\p{P}])/gu;
/** Milliseconds of tokenizing after which other work gets its turn. */
const BREATH = 4;

/** Cuts a text where tokens cannot span the cut, so that the slices' tokens together are the text's tokens. */
export function* slices(text: string): Generator<string> {
  let start = 0;
  const boundary = new RegExp(BOUNDARY);
  while (text.length - start > SLICE) {
    boundary.lastIndex = start + SLICE;
    const found = boundary.exec(text.slice(0, start + LONGEST));
    const end = found === null ? hardCut(text, start + LONGEST) : boundary.lastIndex;
    yield text.slice(start, end);
    start = end;
  }
  if (start < text.length) yield text.slice(start);
}

/** Lets the event loop turn whenever `BREATH` milliseconds of work are over. */
export class Breather {
  private since = performance.now();

  async pause(): Promise<void> {
    if (performance.now() - this.since < BREATH) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.since = performance.now();
  }
}

/** Not inside a surrogate pair. */
function hardCut(text: string, end: number): number {
  const cut = Math.min(end, text.length);
  return /[\uD800-\uDBFF]/.test(text.charAt(cut - 1)) ? cut - 1 : cut;
}
