/**
 * Licences under which a package may be part of what we give out, as SPDX writes them. "BSD" alone is an old word of one package (duck),
 * whose text is the two-clause one.
 */
export const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Python-2.0',
  'Zlib',
]);

/** Tools that only build and test may carry these as well: nothing of them is given out. */
export const ALLOWED_FOR_TOOLS = new Set([...ALLOWED, 'AFL-2.1', 'CC-BY-4.0']);

/** True when the SPDX expression leaves a way through the allowed licences: one side of an OR, both sides of an AND. */
export function isAllowed(expression, allowed = ALLOWED) {
  if (typeof expression !== 'string') return false;
  const words = expression.match(/[()]|[^\s()]+/g) ?? [];
  const answer = anyOf(words, allowed);
  return answer && words.length === 0;
}

function anyOf(words, allowed) {
  let answer = allOf(words, allowed);
  while (words[0] === 'OR') {
    words.shift();
    const right = allOf(words, allowed);
    answer = answer || right;
  }
  return answer;
}

function allOf(words, allowed) {
  let answer = one(words, allowed);
  while (words[0] === 'AND') {
    words.shift();
    const right = one(words, allowed);
    answer = answer && right;
  }
  return answer;
}

function one(words, allowed) {
  const word = words.shift();
  if (word !== '(') return allowed.has(word);
  const answer = anyOf(words, allowed);
  return words.shift() === ')' && answer;
}
