const POWERS: Record<string, string> = { '2': '²', '3': '³' };

/** A raised text after `before`: a number that refers to a note stands in brackets, lest it become a part of the word or number before it. */
export function raisedNumber(before: string, raised: string): string {
  const number = raised.trim();
  const power = POWERS[number];
  if (power !== undefined && /(?:^|[\s\d/·])(?:[kcdmµ]?m|ft|in|s|yd|mi)$/u.test(before)) return power;
  return /^\d{1,3}$/u.test(number) ? `[${number}]` : raised;
}
