import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { loadScript } from '../scripts/load-script';

const ROOT = resolve(__dirname, '..', '..');
/** What is never committed; .env is where secrets belong. */
const IGNORED = new Set([
  '.git',
  ...readFileSync(join(ROOT, '.gitignore'), 'utf8')
    .split('\n')
    .map((line) => line.replace(/\/$/, '')),
]);

interface Found {
  name: string;
  line: number;
}

let findSecrets: (text: string) => Found[];

beforeAll(async () => {
  ({ findSecrets } = await loadScript<{ findSecrets(text: string): Found[] }>('supply/secrets.mjs'));
});

function files(folder = ROOT): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (IGNORED.has(entry.name) || /\.(?:log|tsbuildinfo)$/.test(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : entry.isFile() ? [path] : [];
  });
}

/** Planted ones are put together here, so that this file holds none itself. */
const letters = 'q7Rz2LmX9vTb4KwYp8Nc3HsJ6fGd5AeU1oQiZkVn';
const PLANTED = [
  ['private key', `-----BEGIN ${'OPENSSH PRIVATE'} KEY-----`],
  ['AWS key', `AKIA${'ABCDEFGHIJ234567'}`],
  ['GitHub token', `ghp_${letters}`],
  ['GitLab token', `glpat-${letters.slice(0, 20)}`],
  ['npm token', `//registry.example.org/:_authToken=${letters.slice(0, 12)}`],
  ['PyPI token', `pypi-AgEIcHlwaS5vcmc${letters}`],
  ['Slack token', `xoxb-${letters.slice(0, 20)}`],
  ['Google key', `AIza${letters.slice(0, 35)}`],
  ['Hugging Face token', `hf_${letters}`],
  ['Anthropic key', `sk-ant-${letters}`],
  ['API key', `sk-${letters}abc`],
  ['payment key', `sk_live_${letters}`],
  ['signed token', `eyJ${letters.slice(0, 20)}.eyJ${letters.slice(0, 20)}.${letters}`],
  ['one-time token', `inv-${letters}abc`],
  ['address with a password', `postgres://app:${letters.slice(0, 16)}@db.example.org/app`],
  ['assigned secret', `JWT_SECRET=${letters}`],
  ['assigned secret', `  "apiKey": "${letters}",`],
];

it.each(PLANTED)('a %s is found where somebody left it', (name, text) => {
  expect(findSecrets(`first line\n${text}\n`)).toContainEqual({ name, line: 2 });
});

it('what only reads like a secret is none', () => {
  const texts = ['API_KEY=<your key>', 'password: correct horse battery staple', 'token: "accessTokenOfTheFirstAccount"', 'JWT_SECRET='];
  expect(findSecrets([...texts, 'postgres://app:password@127.0.0.1/app', 'sk-...'].join('\n'))).toEqual([]);
});

it('no file of the repository holds a secret', () => {
  const all = files();
  expect(all.length).toBeGreaterThan(800);
  const found = all.flatMap((path) => {
    const name = relative(ROOT, path).split(sep).join('/');
    const bytes = readFileSync(path);
    if (bytes.includes(0)) return [];
    return findSecrets(bytes.toString('utf8')).map((each) => `${name}:${each.line} ${each.name}`);
  });
  expect(found).toEqual([]);
});
