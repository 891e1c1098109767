/**
 * Words of a question that ask rather than tell what about: they may be missing from a passage that answers it. Grammar is no part of this
 * list (stopwords are); all words folded (lower case, no accents).
 */
const ASKING: Record<string, string> = {
  en: `long often far big large small fast quick high low late early soon deep wide old much many few amount number level degree kind sort type
    way thing things something anything somebody someone anybody anyone person people exactly maximum minimum most least limit
    mean means meant get gets got make makes made use uses used go goes gone going come comes take takes took put let need needs want wants
    please tell show say says know explain describe give find happen happens possible allowed able immediately new extra first last next now
    today time times year years day days month months week weeks hour hours minute minutes`,
  de: `lange oft weit gross klein schnell hoch tief spat fruh alt viel viele vielen wenig anzahl grenze art weise ding dinge jemand person personen
    genau maximal minimal hochstens mindestens heisst bedeutet bekomme bekommen bekommt kriege erhalte gibt geben macht machen mache nehmen nehme
    darf durfen konnen kann soll muss mochte brauche brauchen bitte sag sage zeig zeige erklare beschreibe moglich erlaubt sofort neu extra
    heute tag tage tagen jahr jahre jahren monat monate monaten woche wochen stunde stunden minute minuten zeit`,
};

/** Words that point back to something said before. */
const POINTING: Record<string, string> = {
  en: 'it its that this these those they them their he she him her his one ones there then same such instead otherwise also too',
  de: 'es das dies diese dieser dieses diesen sie er ihn ihm ihr ihre dort da dann dabei damit davon dafur darauf darin auch sonst stattdessen',
};

const setsOf = (lists: Record<string, string>): Map<string, ReadonlySet<string>> =>
  new Map(Object.entries(lists).map(([language, words]) => [language, new Set(words.split(/\s+/u))]));

const asking = setsOf(ASKING);
const pointing = setsOf(POINTING);
const NONE: ReadonlySet<string> = new Set();

export const askingWords = (language: string): ReadonlySet<string> => asking.get(language) ?? NONE;

export const pointingWords = (language: string): ReadonlySet<string> => pointing.get(language) ?? NONE;
