import type { TokenCounter } from './token.counter';

/** No vocabulary holds longer ordinary words than this, on average over a text. */
const BYTES_PER_TOKEN = 12;

/** Bounds that hold for every tokenizer, when the server does not show the vocabulary: a token is at least one byte of UTF-8. */
export class ByteCounter implements TokenCounter {
  atMost(text: string): number {
    return Buffer.byteLength(text);
  }

  atLeast(text: string): number {
    return Math.floor(Buffer.byteLength(text.replace(/(\P{L})\1+/gu, '$1')) / BYTES_PER_TOKEN);
  }
}
