import * as lists from 'stopword';
import { fold } from './fold';

/** ISO 639-1 to the package's lists. */
const LISTS: Record<string, string> = {
  ar: 'ara',
  bg: 'bul',
  ca: 'cat',
  cs: 'ces',
  da: 'dan',
  de: 'deu',
  el: 'ell',
  en: 'eng',
  es: 'spa',
  et: 'est',
  fa: 'fas',
  fi: 'fin',
  fr: 'fra',
  ga: 'gle',
  he: 'heb',
  hi: 'hin',
  hr: 'hrv',
  hu: 'hun',
  id: 'ind',
  it: 'ita',
  ja: 'jpn',
  ko: 'kor',
  lt: 'lit',
  lv: 'lav',
  nl: 'nld',
  no: 'nob',
  pl: 'pol',
  pt: 'por',
  ro: 'ron',
  ru: 'rus',
  sk: 'slk',
  sl: 'slv',
  sv: 'swe',
  th: 'tha',
  tr: 'tur',
  uk: 'ukr',
  ur: 'urd',
  vi: 'vie',
  zh: 'zho',
};

/** Function words that a list lacks. */
const MORE: Record<string, string[]> = {
  en: [
    'when',
    'why',
    'whose',
    'whom',
    'will',
    'shall',
    'may',
    'not',
    'no',
    'nor',
    'its',
    'us',
    'were',
    'am',
    'does',
    'than',
    'so',
    'yes',
    'during',
    'per',
  ],
  de: ['gibt', 'wieviel', 'wieviele', 'ab', 'pro'],
};

/** Words with a meaning of their own that a list holds all the same: numerals, units of time and the like. */
const KEPT: Record<string, string[]> = {
  de: (
    'acht achte achten achter achtes drei dritte dritten dritter drittes elf erste ersten erster erstes fünf fünfte fünften fünfter fünftes neun neunte neunten ' +
    'neunter neuntes sechs sechste sechsten sechster sechstes sieben siebente siebenten siebenter siebentes vier vierte vierten vierter viertes zehn zehnte zehnten ' +
    'zehnter zehntes zwanzig zwei zweite zweiten zweiter zweites zwölf jahr jahre jahren tag tage tagen uhr zeit mensch menschen mann ordnung teil mittel'
  ).split(' '),
};

const sets = new Map<string, ReadonlySet<string>>(Object.keys(LISTS).map((language) => [language, words(language)]));
const NONE: ReadonlySet<string> = new Set();

/** The words of a language that carry no meaning of their own, folded. */
export function stopwords(language: string): ReadonlySet<string> {
  return sets.get(language) ?? NONE;
}

function words(language: string): ReadonlySet<string> {
  const set = new Set([...((lists as Record<string, string[]>)[LISTS[language] ?? ''] ?? []), ...(MORE[language] ?? [])].map(fold));
  for (const kept of KEPT[language] ?? []) set.delete(fold(kept));
  return set;
}
