// Looks for secrets in what the servers of the suites wrote where others may read it: logs, error answers, job events, audit, metrics (test/support/traces.ts).
import { createReadStream, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What every secret that the product makes looks like, and what a URL with a password looks like. */
const MADE = [
  { name: 'API key', pattern: /\bsk-[A-Za-z0-9_-]{43}/ },
  { name: 'refresh, invitation, reset or setup token', pattern: /\b(?:rt|inv|pr|setup)-[A-Za-z0-9_-]{43}/ },
  { name: 'access token', pattern: /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}/ },
  { name: 'password in a URL', pattern: /\b[a-z]+:\/\/[^\s:/@"]+:[^\s:/@"]{6,}@/ },
];
const NAMED = 'secrets.ndjson';

/** Answers { files, lines, secrets, found: [{ file, line, what }] }; `found` never quotes the secret itself. */
export async function scanForSecrets(folder) {
  const named = namedSecrets(folder);
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name !== NAMED) : [];
  const found = [];
  let lines = 0;
  for (const file of files) {
    let at = 0;
    for await (const text of createInterface({ input: createReadStream(join(folder, file)), crlfDelay: Infinity })) {
      at += 1;
      for (const what of secretsIn(text, named)) found.push({ file, line: at, what });
    }
    lines += at;
  }
  return { files: files.length, lines, secrets: named.length + MADE.length, found };
}

function secretsIn(text, named) {
  const made = MADE.filter(({ pattern }) => pattern.test(text)).map(({ name }) => name);
  const known = named.filter((spellings) => spellings.some((spelling) => text.includes(spelling)));
  return [...made, ...known.map(([secret]) => `a named secret of ${secret.length} characters`)];
}

/** Each as it is and as JSON writes it. */
function namedSecrets(folder) {
  const path = join(folder, NAMED);
  if (!existsSync(path)) return [];
  const lines = new Set(readFileSync(path, 'utf8').trim().split('\n').filter(Boolean));
  return [...lines].map((line) => [JSON.parse(line), line.slice(1, -1)]);
}
