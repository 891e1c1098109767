const SMALL: Record<string, string> = {
  en: 'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty',
  de: 'null ein zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn siebzehn achtzehn neunzehn zwanzig',
};
const TENS: Record<string, string> = {
  en: 'thirty forty fifty sixty seventy eighty ninety hundred',
  de: 'dreissig vierzig funfzig sechzig siebzig achtzig neunzig hundert',
};

const VALUES = new Map<string, string>();
for (const words of Object.values(SMALL)) words.split(' ').forEach((word, value) => VALUES.set(word, String(value)));
for (const words of Object.values(TENS)) words.split(' ').forEach((word, index) => VALUES.set(word, String((index + 3) * 10)));
// "one", "ein" are articles and pronouns more often than numbers.
for (const word of ['one', 'ein', 'null', 'zero']) VALUES.delete(word);

const DIGITS = /^\p{Nd}[\p{Nd}.,]*$/u;
const THOUSANDS = /^\p{Nd}{1,3}(?:[.,]\p{Nd}{3})+$/u;

/** The value of a folded word that writes a number, in one spelling (`3,870` and `3870`, `twelve` and `12`); null for other words. */
export function numeralOf(word: string): string | null {
  if (DIGITS.test(word)) return THOUSANDS.test(word) ? word.replace(/[.,]/gu, '') : word.replace(',', '.').replace(/\.$/u, '');
  return VALUES.get(word) ?? null;
}
