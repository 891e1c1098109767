import type { Chunk, TokenCount } from './chunker';
import type { Outline, Unit } from './outline';

const OPENING_TOKENS = 120;
/** Headings that are kept; an outline longer than this says no more about the whole. */
const MOST_HEADINGS = 200;
/** Tokens left free: the counts of parts are not quite that of the whole. */
const MARGIN = 8;

export interface Overview {
  /** The opening is the text from 0 to here. */
  end: number;
  /** The title, then every heading, one on each line. */
  outline: string;
  input: string;
  /** Of the opening. */
  tokens: number;
}

/** What a document as a whole is about: its title (the first heading, else its name), its headings, and its opening sentences. */
export async function overview(
  text: string,
  { outline: { units, sections }, chunks }: { outline: Outline; chunks: Chunk[] },
  name: string,
  most: number,
  count: TokenCount,
): Promise<Overview> {
  const titles = sections
    .slice(1)
    .flatMap((section) => section.path.slice(-1))
    .slice(0, MOST_HEADINGS);
  const lines = titles.length === 0 ? [name] : titles;
  const end = (await openingEnd(text, units.slice(0, OPENING_TOKENS), count)) ?? chunks[0]?.end ?? 0;
  const opening = text.slice(0, end).trim();
  const [tokens = 0, ...lineTokens] = await count([opening, ...lines]);
  let room = most - tokens - MARGIN;
  const fitting = lines.filter((_, index) => {
    room -= (lineTokens[index] ?? 0) + 1;
    return room >= 0;
  });
  return { end, outline: lines.join('\n'), input: [...fitting, opening].join('\n'), tokens };
}

/** Where the last unit ends that still fits; undefined when the first is too long already. */
async function openingEnd(text: string, units: Unit[], count: TokenCount): Promise<number | undefined> {
  const tokens = await count(units.map((unit) => text.slice(unit.start, unit.end)));
  let total = 0;
  let end: number | undefined;
  for (const [index, unit] of units.entries()) {
    total += tokens[index] ?? 0;
    if (total > OPENING_TOKENS) break;
    end = unit.end;
  }
  return end;
}
