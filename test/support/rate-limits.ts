import type { ApiAnswer } from './api';

/**
 * Demands of answers in a row that each is what the one before left: 200 while requests were left or the minute is fresh, else 429. At most one
 * minute may turn meanwhile. Answers those that were refused.
 */
export function expectLimit(answers: ApiAnswer[], limit: number): ApiAnswer[] {
  let left = limit;
  for (const [place, { status, headers }] of answers.entries()) {
    const remaining = Number(headers.get('x-ratelimit-remaining'));
    const fresh = left === 0 && remaining === limit - 1;
    expect([place, status, remaining]).toEqual(
      left === 0 && !fresh ? [place, 429, 0] : [place, 200, (remaining === limit - 1 ? limit : left) - 1],
    );
    left = remaining;
  }
  return answers.filter(({ status }) => status === 429);
}
