import type { Passage } from '@features/vectors';
import type { RankedUnit } from './unit-score';
import type { Question } from './question';
import { quoteText } from './phrases';

/** A quotation to be sent, with the index of its passage. */
export interface Quote {
  text: string;
  passage: number;
  /** The sentence for which it is quoted; undefined: a document as a whole. */
  best?: RankedUnit;
}

const LONGEST = 400;
const OPENING = 300;
/** A further sentence must come this near to the best. */
const NEAR_BEST = 0.75;

/** The best sentence with the one that follows it, and the next best of the same passage when it comes near. */
export function bestQuotes(question: Question, passages: Passage[], ranked: RankedUnit[]): Quote[] {
  const [best, ...others] = ranked;
  const passage = passages[best?.passage ?? -1];
  if (best === undefined || passage === undefined) return [];
  const units = [best, ...following(best, ranked)];
  const second = others.find((unit) => unit.passage === best.passage && !units.includes(unit));
  if (second !== undefined && second.score >= NEAR_BEST * best.score) units.push(second);
  units.sort((a, b) => a.place - b.place);
  const text = units.reduce((joined, unit, index) => `${joined}${glue(units[index - 1], unit, question.language)}${unit.shown}`, '');
  return [{ text: quoteText(question.language, passage, best.passage + 1, text), passage: best.passage, best }];
}

/** The sentence after it in the same paragraph: it often holds what the first one leads up to. */
function following(unit: RankedUnit, ranked: RankedUnit[]): RankedUnit[] {
  const next = ranked.find((other) => other.passage === unit.passage && other.place === unit.place + 1);
  return next !== undefined && next.start - unit.end <= 1 && unit.shown.length + next.shown.length < LONGEST ? [next] : [];
}

/** Neighbours follow each other, what lies apart is separated by an ellipsis. */
function glue(before: RankedUnit | undefined, unit: RankedUnit, language: string): string {
  if (before === undefined) return '';
  const space = language === 'ja' || language === 'zh' ? '' : ' ';
  return unit.place === before.place + 1 ? space : `${space}…${space}`;
}

/** What a document is about, in its own words: title and opening. */
export function overviewQuote(question: Question, passage: Passage, index: number, units: RankedUnit[]): Quote {
  const title = passage.heading?.split('\n', 1)[0]?.trim() ?? '';
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
  return { text: quoteText(question.language, passage, index + 1, words), passage: index };
}
