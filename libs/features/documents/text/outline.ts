import { sentences } from '@features/vectors';
import { Breather } from './breather';
import { headings } from './headings';
import { segments } from './segments';

/** The smallest piece that stays whole: a sentence, heading, item, row or line. UTF-16 offsets of the text. */
export interface Unit {
  start: number;
  end: number;
  /** Index of its section. */
  section: number;
  heading: boolean;
}

/** What stands under one heading; the first section is what stands before any. */
export interface Section {
  depth: number;
  /** Headings from the outermost to its own. */
  path: string[];
}

export interface Outline {
  units: Unit[];
  sections: Section[];
}

/** Reads a text into sections and units; nothing but white space lies outside the units. Pauses for others while it works. */
export async function outline(text: string, markdown: boolean): Promise<Outline> {
  const breather = new Breather();
  const units: Unit[] = [];
  const sections: Section[] = [{ depth: 0, path: [] }];
  const open: Section[] = [];
  for (const { start, end, code } of segments(text, markdown)) {
    const content = text.slice(start, end);
    const found = markdown && !code ? headings(content) : [];
    await breather.pause();
    for (const span of code ? linesOf(content) : sentences(content)) {
      let heading = false;
      while (found[0] !== undefined && found[0].start < span.end) {
        const next = found.shift();
        if (next !== undefined) sections.push(openSection(open, next.depth, next.text));
        heading = true;
      }
      units.push({ start: start + span.start, end: start + span.end, section: sections.length - 1, heading });
    }
    await breather.pause();
  }
  return { units, sections };
}

/** Closes the sections of the same or a lower rank and opens a new one under what stays open. */
function openSection(open: Section[], depth: number, text: string): Section {
  while ((open.at(-1)?.depth ?? 0) >= depth) open.pop();
  const section = { depth, path: [...(open.at(-1)?.path ?? []), text] };
  open.push(section);
  return section;
}

function linesOf(content: string): { start: number; end: number }[] {
  return [...content.matchAll(/\S(?:[^\r\n]*\S)?/gu)].map((match) => ({ start: match.index, end: match.index + match[0].length }));
}
