import type { EvidenceUnit } from './evidence-units';

/** The kind of figure that a question asks for: any number, a length or rhythm of time, or a point in time. */
export type WantedFigure = 'number' | 'duration' | 'time';

const ASKED: [WantedFigure, Record<string, RegExp>][] = [
  [
    'duration',
    {
      en: /\bhow (?:long|often|frequently|soon)\b/iu,
      de: /\bwie (?:lange|oft|häufig)\b/iu,
      ja: /何(?:分間|時間|日間|週間|か月|ヶ月|年間)/u,
    },
  ],
  [
    'time',
    {
      en: /^(?:when|by when|until when|since when|at what time|what time)\b/iu,
      de: /^(?:wann|ab wann|bis wann|seit wann|um wie viel uhr)\b/iu,
      ja: /いつ|何(?:時|月|日|曜日)/u,
    },
  ],
  [
    'number',
    {
      en: /\bhow (?:many|much|far|fast|old|big|high|late|deep|early|heavy|wide|rough|hot|warm|cold|large|tall)\b|\b(?:what|which|up to what) (?:amount|age|price|speed|pressure|temperature|percentage|number|height|weight|year|date|level|distance|size)\b/iu,
      de: /\bwie(?:\s?viele?n?| weit| schnell| alt| gro(?:ß|ss)| hoch| spät| tief| früh| schwer| breit)\b/iu,
      ja: /何(?:人|回|番|メートル|センチ|枚|度|個|名|キロ)|いくつ|いくら|どのくらい|どれくらい|どれだけ/u,
    },
  ],
];

const DIGITS = /(?<![\p{L}\p{N}-])\p{N}|[〇一二三四五六七八九十百千]/u;
const SPAN_OF_TIME =
  /^(?:seconds?|minutes?|hours?|days?|weeks?|fortnights?|months?|years?|decades?|(?:\p{L}*(?:sekunde|minute|stunde|tag|woche|monat|jahr|quartal)(?:e|en|n|s|es)?))$/u;
const RHYTHM =
  /\b(?:hourly|daily|weekly|monthly|yearly|annual(?:ly)?|always|never|once|twice|stündlich|täglich|wöchentlich|monatlich|jährlich|immer|nie)\b/iu;
const SPAN_OF_TIME_SIGNS = /[\p{N}〇一二三四五六七八九十百千](?:秒|分|時間|日|週|か月|ヶ月|カ月|年)|毎[日週月年]/u;
const CLOCK = /\p{N}[.:]\p{N}{2}\b|\p{N}\s?(?:Uhr|a\.?m\.?|p\.?m\.?|o'clock)\b|[\p{N}一二三四五六七八九十](?:月|日|時)|曜/iu;
const NEAR_BOUND = /\b(?:by|until|till|from|since|after|before|bis|ab|seit|nach|vor|spätestens)\b/iu;
const ORDINAL_DAY = /\b(?:\p{L}+th|first|second|third|\p{N}+(?:st|nd|rd|th)|\p{L}+ten) (?:day|tag|week|woche|month|monat)\b/iu;
/** Words between a number and what it counts: "three whole opening days". */
const BETWEEN = 2;

/** Names of months and weekdays in English and German. */
const CALENDAR = new RegExp(
  `(?<!\\p{L})(?:${['en', 'de']
    .flatMap((locale) => [
      ...Array.from({ length: 12 }, (_, month) => new Date(2024, month, 1).toLocaleString(locale, { month: 'long' })),
      ...Array.from({ length: 7 }, (_, day) => new Date(2024, 0, day + 1).toLocaleString(locale, { weekday: 'long' })),
    ])
    .join('|')})(?!\\p{Ll}{2})`,
  'u',
);

export function figureAsked(text: string, language: string): WantedFigure | null {
  return ASKED.find(([, patterns]) => patterns[language]?.test(text.trim()))?.[0] ?? null;
}

/** Whether a unit holds a figure of the wanted kind. */
export function holdsFigure(wanted: WantedFigure | null, unit: EvidenceUnit): boolean {
  if (wanted === 'number') return DIGITS.test(unit.shown) || unit.own.numbers.size > 0;
  if (wanted === 'duration') return holdsSpan(unit) || RHYTHM.test(unit.shown);
  if (wanted === null) return true;
  return (
    CALENDAR.test(unit.shown) || CLOCK.test(unit.shown) || ORDINAL_DAY.test(unit.shown) || (NEAR_BOUND.test(unit.shown) && holdsSpan(unit))
  );
}

/** A number that counts seconds, days, years …; all words of the unit are looked at, function words too. */
function holdsSpan(unit: EvidenceUnit): boolean {
  if (SPAN_OF_TIME_SIGNS.test(unit.shown)) return true;
  return unit.terms.some(
    (term, index) =>
      (term.number !== null || /^(?:one|an?|half|halbe[sn]?|eine?[nrsm]?)$/u.test(term.text)) &&
      unit.terms.slice(index + 1, index + 2 + BETWEEN).some((next) => SPAN_OF_TIME.test(next.text)),
  );
}
