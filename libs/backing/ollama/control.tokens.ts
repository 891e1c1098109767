import type { ChatTurn } from '@kernel/models';

/** `tokenizer.ggml.token_type` of a token that is never text. */
const CONTROL = 3;
/** Shorter ones are no marks of a template. */
const SHORTEST = 3;
/** Invisible, and enough for a tokenizer not to see the mark. */
const BREAK = '\u200B';

/**
 * Ollama reads the marks of a chat template (`<|im_end|>`, `</s>`) wherever they stand, also inside what a person or a document says. Here they are
 * broken there, so that no text can end its turn and speak for somebody else.
 */
export class ControlTokens {
  private readonly marks?: RegExp;

  constructor(info: Readonly<Record<string, unknown>>) {
    const tokens = info['tokenizer.ggml.tokens'];
    const types = info['tokenizer.ggml.token_type'];
    if (!Array.isArray(tokens) || !Array.isArray(types)) return;
    const found = tokens.filter(
      (token, index): token is string => types[index] === CONTROL && typeof token === 'string' && token.length >= SHORTEST,
    );
    if (found.length === 0) return;
    const longestFirst = found.sort((a, b) => b.length - a.length);
    this.marks = new RegExp(longestFirst.map((token) => token.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
  }

  /** The same text for a reader, without marks. */
  broken(text: string): string {
    return this.marks === undefined ? text : text.replace(this.marks, (mark) => mark.charAt(0) + BREAK + mark.slice(1));
  }

  brokenTurns(turns: ChatTurn[]): ChatTurn[] {
    return turns.map((turn) => ({ ...turn, content: this.broken(turn.content) }));
  }
}
