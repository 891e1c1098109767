import { createRequire } from 'node:module';
import type { detectAll } from 'tinyld';

const SAMPLE = 2_400;
/** Where the stretches of a long text lie that are looked at. */
const STRETCHES = [0, 0.35, 0.65, 1];
/** Fewer letters than this say too little in the Latin script. */
const FEWEST_LETTERS = 24;
const LEAST_CONFIDENCE = 0.05;
const LEAST_LEAD = 1.5;

let loaded: typeof detectAll | undefined;

/** Its tables take 18 MB and a tenth of a second: a process that meets no text does without them. */
function detector(): typeof detectAll {
  loaded ??= (createRequire(__filename)('tinyld') as { detectAll: typeof detectAll }).detectAll;
  return loaded;
}

/** ISO 639-1 code of the text's language, or null when it cannot be told. Looks at some of its letters: a long text may begin in another one. */
export function detectLanguage(text: string): string | null {
  const sample = excerpt(text)
    .replace(/[^\p{L}\p{M}'’]+/gu, ' ')
    .trim()
    .slice(0, SAMPLE)
    .toWellFormed();
  const byScript = languageOfScript(sample);
  if (byScript !== null) return byScript;
  if (sample.replaceAll(' ', '').length < FEWEST_LETTERS) return null;
  const [best, second] = detector()(sample);
  if (best === undefined || best.accuracy < LEAST_CONFIDENCE || best.accuracy < (second?.accuracy ?? 0) * LEAST_LEAD) return null;
  return best.lang;
}

/** The whole of a short text; of a long one a stretch of its beginning, its middle and its end. */
function excerpt(text: string): string {
  if (text.length <= SAMPLE) return text;
  const length = Math.floor(SAMPLE / STRETCHES.length);
  return STRETCHES.map((share) => text.slice(Math.floor((text.length - length) * share)).slice(0, length)).join(' ');
}

/** Scripts that few letters tell: kana, hangul, Thai; Han without kana is read as Chinese. */
function languageOfScript(sample: string): string | null {
  const letters = sample.replaceAll(' ', '').length;
  if (letters === 0) return null;
  const count = (pattern: RegExp): number => sample.match(pattern)?.length ?? 0;
  const kana = count(/[\p{Script=Hiragana}\p{Script=Katakana}]/gu);
  const han = count(/\p{Script=Han}/gu);
  if (kana + han > letters / 3) return kana * 20 > han ? 'ja' : 'zh';
  if (count(/\p{Script=Hangul}/gu) > letters / 3) return 'ko';
  if (count(/\p{Script=Thai}/gu) > letters / 3) return 'th';
  return null;
}
