import { CodeSpans } from './code-spans';

/** A piece of what a model wrote: of its answer, or of what it thought before. */
export interface Said {
  type: 'text' | 'reasoning';
  text: string;
}

const OPEN = '<think>';
const CLOSE = '</think>';
const BLANK = /^\s$/u;

/**
 * Separates what a model thinks (`<think>…</think>`) from its answer, however the stream is cut. Tags inside Markdown code of the answer are text;
 * an unclosed block is thought to its end; empty blocks leave nothing behind, nor do the blank lines around a block. When the chat template may
 * have written the opening tag, the beginning is held back until it shows what it is: the tag in question decides, or the end of the text.
 */
export class ThinkingFilter {
  private out: Said[] = [];
  private mode: 'unclear' | Said['type'];
  /** The beginning of a tag. */
  private tag = '';
  /** White space that goes out with the sign after it, or not at all. */
  private blank = '';
  /** A block has just ended where nothing or white space was said before. */
  private dropsBlank = false;
  /** The beginning of a text of which it is unclear what it is. */
  private beginning = '';
  private readonly code = new CodeSpans();
  private readonly last = { text: '', reasoning: '' };
  /** Something was said in the present block. */
  private begun = false;

  /** `opened`: the template may have opened the block, so that its opening tag never comes. */
  constructor(opened = false) {
    this.mode = opened ? 'unclear' : 'text';
  }

  push(text: string): Said[] {
    for (const sign of text) this.take(sign);
    return this.taken();
  }

  /** The runtime itself tells thoughts from text: there is no block that a template opened. */
  separated(): Said[] {
    if (this.mode === 'unclear') this.settle('text');
    return this.taken();
  }

  /** What was held back. A text without any tag was the answer, unless it was cut off. */
  end(cutOff: boolean): Said[] {
    this.release();
    if (this.mode === 'unclear') this.settle(cutOff ? 'reasoning' : 'text');
    if (this.mode === 'text' && !this.dropsBlank) this.say(this.blank);
    this.blank = '';
    return this.taken();
  }

  private taken(): Said[] {
    const { out } = this;
    this.out = [];
    return out;
  }

  private take(sign: string): void {
    const tag = this.tag + sign;
    if (!this.tagged(tag)) {
      this.release();
      if (this.tagged(sign)) this.tag = sign;
      else this.plain(sign);
    } else if (tag === OPEN || tag === CLOSE) {
      this.tag = '';
      this.turn(tag === OPEN);
    } else this.tag = tag;
  }

  private tagged(tag: string): boolean {
    if (this.mode === 'reasoning') return CLOSE.startsWith(tag) || (!this.begun && OPEN.startsWith(tag));
    return (OPEN.startsWith(tag) || CLOSE.startsWith(tag)) && !(this.mode === 'text' && this.code.inside);
  }

  /** What began like a tag and is none. */
  private release(): void {
    const { tag } = this;
    this.tag = '';
    for (const sign of tag) this.plain(sign);
  }

  private turn(opening: boolean): void {
    if (this.mode === 'unclear') this.settle(opening ? 'text' : 'reasoning');
    if (this.mode === 'text' && opening) this.beginBlock();
    else if (!opening) this.endBlock();
  }

  private beginBlock(): void {
    this.blank = '';
    this.begun = false;
    this.mode = 'reasoning';
  }

  /** Also for a closing tag that nothing opened: it says nothing. */
  private endBlock(): void {
    this.blank = '';
    this.mode = 'text';
    this.dropsBlank = this.last.text === '' || BLANK.test(this.last.text);
  }

  private settle(type: Said['type']): void {
    const { beginning } = this;
    this.beginning = '';
    this.mode = type;
    for (const sign of beginning) this.plain(sign);
  }

  private plain(sign: string): void {
    if (this.mode === 'unclear') this.beginning += sign;
    else if (BLANK.test(sign) && (this.mode === 'reasoning' || this.last.text === '' || this.dropsBlank)) this.blank += sign;
    else this.word(sign);
  }

  private word(sign: string): void {
    if (this.mode === 'reasoning') {
      const before = this.begun ? this.blank : this.last.reasoning === '' ? '' : '\n\n';
      this.begun = true;
      this.say(before + sign);
    } else {
      // Of the blank lines after a block only the indentation of the next one stays.
      const indentation = this.blank.includes('\n') ? this.blank.slice(this.blank.lastIndexOf('\n') + 1) : '';
      const before = this.dropsBlank ? indentation : this.blank;
      this.dropsBlank = false;
      this.say(before + sign);
    }
    this.blank = '';
  }

  private say(text: string): void {
    const type = this.mode === 'reasoning' ? 'reasoning' : 'text';
    if (text === '') return;
    if (type === 'text') for (const sign of text) this.code.push(sign);
    this.last[type] = text.slice(-1);
    const piece = this.out.at(-1);
    if (piece?.type === type) piece.text += text;
    else this.out.push({ type, text });
  }
}
