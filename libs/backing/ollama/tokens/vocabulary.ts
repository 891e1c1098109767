import { ByteCounter } from './byte.counter';
import { MergeCounter } from './merge.counter';
import type { TokenCounter } from './token.counter';
import { WordPieceCounter } from './wordpiece.counter';

/** Blanks go with the word behind them; case changes, digits, scripts and signs part: finer than the pattern of any known byte pair model. */
const PIECES =
  / ?[\p{Lu}\p{Lt}]*\p{Ll}+| ?[\p{Lu}\p{Lt}]+| ?\p{Script=Han}+| ?(?:(?!\p{Script=Han})[\p{Lo}\p{Lm}])+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?=\s)|\s/gu;
/** A run of SentencePiece blanks with the word behind it. */
const BLANKED = /▁*[^▁]+|▁+/gu;
const BLANK = '▁';
/** A unigram model weighs whole segmentations, which merging does not: room for those with more pieces. */
const UNIGRAM = 1.2;

/** The counter for what `/api/show` (verbose) says about a model; bounds by bytes when it says nothing usable. */
export function counterOf(info: Readonly<Record<string, unknown>>): TokenCounter {
  const kind = info['tokenizer.ggml.model'];
  const tokens = strings(info['tokenizer.ggml.tokens']);
  const merges = strings(info['tokenizer.ggml.merges']);
  const scores = numbers(info['tokenizer.ggml.scores']);
  if (kind === 'bert' && tokens !== undefined) return new WordPieceCounter(tokens);
  if (kind === 'gpt2' && merges !== undefined) return bytePairs(merges);
  if (kind === 'llama' && tokens !== undefined && scores !== undefined) return sentencePieces(tokens, scores, 1);
  if (kind === 't5' && tokens !== undefined && scores !== undefined) return sentencePieces(tokens, scores, UNIGRAM);
  return new ByteCounter();
}

/** Whether a WordPiece vocabulary knows no capital letters: its texts are lower-cased and lose their accents. */
export function isUncased(info: Readonly<Record<string, unknown>>): boolean {
  const tokens = strings(info['tokenizer.ggml.tokens']);
  return info['tokenizer.ggml.model'] === 'bert' && tokens !== undefined && !tokens.some((token) => /^▁?[A-Z][a-z]*$/.test(token));
}

function bytePairs(merges: readonly string[]): TokenCounter {
  const ranks = new Map(merges.map((merge, index) => [merge, index]));
  const letters = byteLetters();
  return new MergeCounter({
    words: PIECES,
    symbols: (word) => Array.from(Buffer.from(word), (byte) => letters[byte] ?? ''),
    rank: (left, right) => ranks.get(`${left} ${right}`),
    tokens: () => 1,
  });
}

function sentencePieces(tokens: readonly string[], scores: readonly number[], margin: number): TokenCounter {
  const known = new Map(tokens.map((token, index) => [token, -(scores[index] ?? 0)]));
  const counter = new MergeCounter({
    words: BLANKED,
    symbols: (word) => Array.from(word),
    rank: (left, right) => known.get(left + right),
    tokens: (symbol) => (known.has(symbol) ? 1 : Buffer.byteLength(symbol)),
  });
  const blanked = (text: string): string => BLANK + text.replaceAll(' ', BLANK);
  return { atMost: (text) => Math.ceil(counter.atMost(blanked(text)) * margin), atLeast: (text) => counter.atLeast(blanked(text)) };
}

/** The letter that stands for each byte in a byte pair vocabulary (GPT-2's `bytes_to_unicode`): visible ones for themselves, the others from U+0100 on. */
function byteLetters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const visible = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(visible ? byte : next++);
  });
}

function strings(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.length > 0 && typeof value[0] === 'string' ? (value as string[]) : undefined;
}

function numbers(value: unknown): readonly number[] | undefined {
  return Array.isArray(value) && value.length > 0 && typeof value[0] === 'number' ? (value as number[]) : undefined;
}
