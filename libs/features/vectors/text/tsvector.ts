import type { Lexeme } from './analyse';

/** PostgreSQL keeps positions up to this one, and this many for one lexeme. */
const HIGHEST_POSITION = 16_383;
const MOST_POSITIONS = 255;

/** The literal of a `tsvector` with positions, so that it holds how often each lexeme occurs. */
export function tsvector(lexemes: Lexeme[]): string {
  const positions = new Map<string, number[]>();
  for (const lexeme of lexemes) {
    const known = positions.get(lexeme.text) ?? [];
    if (known.length < MOST_POSITIONS) known.push(Math.min(lexeme.position, HIGHEST_POSITION));
    positions.set(lexeme.text, known);
  }
  return [...positions].map(([text, places]) => `${quoted(text)}:${places.join(',')}`).join(' ');
}

/** The literal of a `tsquery`: any of these lexemes. */
export function anyOf(lexemes: string[]): string {
  return [...new Set(lexemes)].map(quoted).join(' | ');
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
