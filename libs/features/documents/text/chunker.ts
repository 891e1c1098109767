import { Breather } from './breather';
import type { Outline, Section, Unit } from './outline';
import { isInsidePair } from './segments';

/** Raised with every change of the chunks that a text gives: an ingest that another version began starts again. */
export const CHUNKER_VERSION = 1;

export interface ChunkLimits {
  /** Tokens of a chunk's text. */
  size: number;
  /** Tokens that a chunk repeats of the one before, in whole units. */
  overlap: number;
  /** Tokens that the model reads at once, headings included. */
  most: number;
}

export interface Chunk {
  /** UTF-16 code units of the text; `text` is exactly that slice. */
  start: number;
  end: number;
  text: string;
  /** Headings above it, outermost first. */
  path: string[];
  /** What the model reads: the headings that fit, then the text. */
  input: string;
  /** Tokens of the text alone. */
  tokens: number;
}

/** Counts the tokens of each text by the model's own tokenizer. */
export type TokenCount = (texts: string[]) => Promise<number[]>;

interface CountedUnit extends Unit {
  tokens: number;
}

/** Texts of one question to the tokenizer. */
const COUNTED_AT_ONCE = 64;
const PATH_JOINT = ' › ';

/**
 * Cuts a text into chunks of at most `size` tokens: whole sentences, rows and items, never over the border of a section unless the section has
 * only its heading. Every unit lies in a chunk; a unit that is too long alone is split at white space, else between two characters.
 */
export class Chunker {
  private readonly breather = new Breather();

  constructor(
    private readonly text: string,
    private readonly outline: Outline,
    private readonly limits: ChunkLimits,
    private readonly count: TokenCount,
  ) {}

  async chunks(): Promise<Chunk[]> {
    const units = await this.fitting(await this.counted(this.outline.units));
    const chunks: Chunk[] = [];
    for (const group of groups(units, this.limits)) {
      chunks.push(...(await this.within(group)));
      await this.breather.pause();
    }
    return chunks;
  }

  private async counted(units: Unit[]): Promise<CountedUnit[]> {
    const counted: CountedUnit[] = [];
    for (let at = 0; at < units.length; at += COUNTED_AT_ONCE) {
      const batch = units.slice(at, at + COUNTED_AT_ONCE);
      const tokens = await this.count(batch.map((unit) => this.text.slice(unit.start, unit.end)));
      batch.forEach((unit, index) => counted.push({ ...unit, tokens: tokens[index] ?? 0 }));
      await this.breather.pause();
    }
    return counted;
  }

  /** The units, those over the size in parts that are not. */
  private async fitting(units: CountedUnit[]): Promise<CountedUnit[]> {
    const fitting: CountedUnit[] = [];
    for (const unit of units) {
      if (unit.tokens <= this.limits.size) fitting.push(unit);
      else fitting.push(...(await this.fitting(await this.counted(this.parts(unit)))));
    }
    return fitting;
  }

  /** At least two parts of about equal length; a single character cannot be split. */
  private parts(unit: CountedUnit): Unit[] {
    const count = Math.max(2, Math.ceil((unit.tokens / this.limits.size) * 1.1));
    const length = Math.max(1, Math.floor((unit.end - unit.start) / count));
    const parts: Unit[] = [];
    for (let start = unit.start; start < unit.end; ) {
      const end = start + length * 1.5 >= unit.end ? unit.end : this.cut(start, start + length, unit.end);
      const trimmed = trim(this.text, start, end);
      if (trimmed.end > trimmed.start) parts.push({ ...unit, ...trimmed });
      start = end;
    }
    if (parts.length === 1 && parts[0]?.start === unit.start && parts[0].end === unit.end)
      throw new Error('A single character is longer than a chunk.');
    return parts;
  }

  /** Near `wanted`: after a sentence, else after white space, else between two characters. */
  private cut(start: number, wanted: number, end: number): number {
    const from = Math.max(start + 1, wanted - Math.floor((wanted - start) / 2));
    for (const edge of [/[.!?。！？]["'”’)\]]*\s/u, /\s/u]) {
      for (let at = Math.min(wanted, end - 1); at >= from; at -= 1)
        if (edge.test(this.text.slice(Math.max(start, at - 4), at)) && /\s/u.test(this.text.charAt(at - 1))) return at;
    }
    const at = Math.max(start + 1, wanted);
    return isInsidePair(this.text, at) ? at + 1 : at;
  }

  /** The chunk of these units, or the chunks of its halves when the model counts more for the whole than for its units. */
  private async within(units: CountedUnit[]): Promise<Chunk[]> {
    const chunk = await this.chunkOf(units);
    const [tokens = 0, inputTokens = 0] = await this.count([chunk.text, chunk.input]);
    if (tokens <= this.limits.size && inputTokens <= this.limits.most) return [{ ...chunk, tokens }];
    if (units.length > 1) {
      const half = Math.ceil(units.length / 2);
      return [...(await this.within(units.slice(0, half))), ...(await this.within(units.slice(half)))];
    }
    const [unit] = units;
    if (unit === undefined) return [];
    const parts = await this.counted(this.parts({ ...unit, tokens: Math.max(tokens, this.limits.size + 1) }));
    return (await Promise.all(parts.map((part) => this.within([part])))).flat();
  }

  private async chunkOf(units: CountedUnit[]): Promise<Omit<Chunk, 'tokens'>> {
    const start = units[0]?.start ?? 0;
    const end = units.at(-1)?.end ?? start;
    const text = this.text.slice(start, end);
    const path = commonPath(units.map((unit) => this.outline.sections[unit.section]));
    // A chunk that begins with a heading has that one in its text.
    const own = units[0]?.heading === true ? this.outline.sections[units[0].section]?.path : undefined;
    const above = own === undefined ? path : path.slice(0, own.length - 1);
    return { start, end, text, path, input: await this.input(above, text) };
  }

  /** The innermost headings that leave the text its size. */
  private async input(path: string[], text: string): Promise<string> {
    if (path.length === 0) return text;
    const lines = path.map((_, index) => path.slice(index).join(PATH_JOINT));
    const tokens = await this.count(lines);
    const line = lines.find((_, index) => (tokens[index] ?? 0) <= this.limits.most - this.limits.size);
    return line === undefined ? text : `${line}\n${text}`;
  }
}

/** Units packed up to the size; each group goes on with the end of the one before when that is in its section. */
function* groups(units: CountedUnit[], limits: ChunkLimits): Generator<CountedUnit[]> {
  let group: CountedUnit[] = [];
  let fresh = 0;
  for (const unit of units) {
    const last = group.at(-1);
    const border = last !== undefined && last.section !== unit.section && group.some((member) => !member.heading);
    if (last !== undefined && (border || sum(group) + unit.tokens > limits.size)) {
      if (fresh > 0) yield group;
      group = border ? [] : tail(group, Math.min(limits.overlap, limits.size - unit.tokens));
      fresh = 0;
    }
    group.push(unit);
    fresh += 1;
  }
  if (fresh > 0) yield group;
}

function tail(group: CountedUnit[], most: number): CountedUnit[] {
  let from = group.length;
  let tokens = 0;
  for (let at = group.length - 1; at > 0; at -= 1) {
    const unit = group[at];
    if (unit === undefined || unit.heading || tokens + unit.tokens > most) break;
    tokens += unit.tokens;
    from = at;
  }
  return group.slice(from);
}

function sum(units: CountedUnit[]): number {
  return units.reduce((total, unit) => total + unit.tokens, 0);
}

/** The headings that all of these sections are under. */
function commonPath(sections: (Section | undefined)[]): string[] {
  const [first, ...others] = [...new Set(sections)].map((section) => section?.path ?? []);
  if (first === undefined) return [];
  const differs = first.findIndex((heading, index) => others.some((path) => path[index] !== heading));
  return differs === -1 ? first : first.slice(0, differs);
}

function trim(text: string, start: number, end: number): { start: number; end: number } {
  const content = text.slice(start, end);
  return { start: start + content.length - content.trimStart().length, end: start + content.trimEnd().length };
}
