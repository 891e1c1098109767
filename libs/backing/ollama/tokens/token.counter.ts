/** Counts the tokens of a text as one model reads it, without special tokens. */
export interface TokenCounter {
  /** Never fewer than the model's own tokenizer makes of the text. */
  atMost(text: string): number;
  /** Never more than that. */
  atLeast(text: string): number;
}
