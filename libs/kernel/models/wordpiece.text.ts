/** A letter (Linear B) that no vocabulary holds: it becomes [UNK]. */
const UNKNOWN = '\u{10000}';
/** Longer words are unknown by definition of the tokenizer (`max_input_chars_per_word`). */
const GIANT_WORD = /[^\s\p{P}$+<=>^`|~\p{Script=Han}]{101,}/gu;

/**
 * A text as the uncased BERT tokenizer sees it (`BertNormalizer`: decomposition, marks removed, lower case; words over 100 characters are unknown).
 * llama.cpp does only a part of it by itself.
 */
export function normaliseWordPiece(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase()
    .replace(GIANT_WORD, UNKNOWN);
}
