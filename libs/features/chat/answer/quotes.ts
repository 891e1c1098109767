import type { Passage } from '@features/vectors';
import type { RankedUnit } from './evidence.service';
import type { Question } from './question';
import { quoteText, sectionsText } from './phrases';

/** A quotation to be sent, with the index of its passage. */
export interface Quote {
  text: string;
  passage: number;
  units: RankedUnit[];
}

const LONGEST = 400;
const OPENING = 300;
const MOST_HEADINGS = 12;
/** A second quotation must come this near to the best. */
const NEAR_BEST = 0.75;

/** The best sentence with the one that follows it, and the next best from elsewhere when it comes near. */
export function bestQuotes(question: Question, passages: Passage[], ranked: RankedUnit[]): Quote[] {
  const [best, ...others] = ranked;
  if (best === undefined) return [];
  const first = [best, ...following(best, ranked)];
  const second = others.find((unit) => !first.includes(unit) && unit.score >= NEAR_BEST * best.score);
  const groups = second === undefined ? [first] : second.passage === best.passage ? [[...first, second]] : [first, [second]];
  return groups.flatMap((units) => quoteOf(question, passages, units) ?? []);
}

/** The sentence after it in the same paragraph: it often holds what the first one leads up to. */
function following(unit: RankedUnit, ranked: RankedUnit[]): RankedUnit[] {
  const next = ranked.find((other) => other.passage === unit.passage && other.place === unit.place + 1);
  return next !== undefined && next.start - unit.end <= 1 && unit.shown.length + next.shown.length < LONGEST ? [next] : [];
}

function quoteOf(question: Question, passages: Passage[], units: RankedUnit[]): Quote | undefined {
  const ordered = [...units].sort((a, b) => a.place - b.place);
  const passage = passages[ordered[0]?.passage ?? -1];
  if (passage === undefined) return undefined;
  const text = ordered.reduce((joined, unit, index) => `${joined}${glue(ordered[index - 1], unit, question.language)}${unit.shown}`, '');
  const index = ordered[0]?.passage ?? 0;
  return { text: quoteText(question.language, passage, index + 1, text), passage: index, units: ordered };
}

/** Neighbours follow each other, what lies apart is separated by an ellipsis. */
function glue(before: RankedUnit | undefined, unit: RankedUnit, language: string): string {
  if (before === undefined) return '';
  const space = language === 'ja' || language === 'zh' ? '' : ' ';
  return unit.place === before.place + 1 ? space : `${space}…${space}`;
}

/** What a document is about, in its own words: title, opening and headings. */
export function overviewQuote(question: Question, passage: Passage, index: number, units: RankedUnit[]): Quote {
  const [title = '', ...headings] = (passage.heading ?? '').split('\n').filter((line) => line.trim() !== '');
  const space = question.language === 'ja' || question.language === 'zh' ? '' : ' ';
  const own = units.filter((unit) => unit.passage === index).sort((a, b) => a.place - b.place);
  let opening = '';
  for (const unit of own) {
    if (opening !== '' && opening.length + unit.shown.length > OPENING) break;
    if (unit.shown !== title) opening += `${opening === '' ? '' : space}${unit.shown}`;
  }
  const words = [title === '' || /[.!?。]$/u.test(title) ? title : `${title}.`, opening]
    .filter((part) => part !== '' && part !== '.')
    .join(space);
  const sections = headings.length === 0 ? '' : `\n${sectionsText(question.language, headings.slice(0, MOST_HEADINGS))}`;
  return { text: quoteText(question.language, passage, index + 1, words) + sections, passage: index, units: own };
}
