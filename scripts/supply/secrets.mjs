/** What a secret looks like when somebody left it in a file: the known forms of keys and tokens, and long values of telling names. */
export const PATTERNS = [
  { name: 'private key', pattern: /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/ },
  { name: 'AWS key', pattern: /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/ },
  { name: 'GitHub token', pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})\b/ },
  { name: 'GitLab token', pattern: /\bglpat-[A-Za-z0-9_-]{20,}/ },
  { name: 'npm token', pattern: /\bnpm_[A-Za-z0-9]{36}\b|:_authToken\s*=\s*(?!\$)/ },
  { name: 'PyPI token', pattern: /\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{20,}/ },
  { name: 'Slack token', pattern: /\bxox[abprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com\/services\/T[A-Z0-9]+\/B/ },
  { name: 'Google key', pattern: /\bAIza[0-9A-Za-z_-]{35}/ },
  { name: 'Hugging Face token', pattern: /\bhf_[A-Za-z0-9]{30,}\b/ },
  { name: 'Anthropic key', pattern: /\bsk-ant-[A-Za-z0-9_-]{20,}/ },
  { name: 'API key', pattern: /\bsk-(?:proj-|live-)?[A-Za-z0-9_-]{40,}/ },
  { name: 'payment key', pattern: /\b[rs]k_(?:live|test)_[A-Za-z0-9]{20,}/ },
  { name: 'signed token', pattern: /\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}/ },
  { name: 'one-time token', pattern: /\b(?:rt|setup|inv|pr)-[A-Za-z0-9_-]{40,}/ },
  {
    name: 'address with a password',
    pattern: /\b(?:postgres(?:ql)?|redis|amqps?|https?):\/\/[^\s:/@'"`<>$]+:([^\s@/'"`<>$]{8,})@/,
    random: true,
  },
  {
    name: 'assigned secret',
    pattern: /(?:secret|passw(?:or)?d|token|api_?key|credential)s?['"]?\s*[:=]\s*['"`]?([A-Za-z0-9+/=_-]{24,})(?=['"`\s,;]|$)/i,
    random: true,
  },
];

/** A random text of 24 letters has about 4 bits in each; words, repetitions and counting ones have less. */
const RANDOM_BITS = 3.7;

/** The secrets that a file's text seems to hold, each as its kind and its line, never as the secret itself. */
export function findSecrets(text) {
  return text.split('\n').flatMap((line, index) =>
    PATTERNS.filter(({ pattern, random }) => {
      const match = pattern.exec(line);
      return match !== null && (random !== true || looksRandom(match[1]));
    }).map(({ name }) => ({ name, line: index + 1 })),
  );
}

function looksRandom(value) {
  const words = !/\d/.test(value) || !/[A-Za-z]/.test(value);
  return !words && entropy(value) >= RANDOM_BITS;
}

/** Bits in each letter, by how often each occurs (Shannon 1948). */
function entropy(value) {
  const counts = new Map();
  for (const letter of value) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - (count / value.length) * Math.log2(count / value.length), 0);
}
