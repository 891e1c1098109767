import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const RUN = 5;
const SIGNS = 8;
const LONG_WORD = 5;
const SPACELESS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]+/gu;
/** Words of the calendar and of measuring belong to everybody. */
const EVERYBODYS = new Set([
  ...Array.from({ length: 12 }, (_, month) => new Date(2024, month, 1).toLocaleString('en', { month: 'long' })),
  ...Array.from({ length: 7 }, (_, day) => new Date(2024, 0, day + 1).toLocaleString('en', { weekday: 'long' })),
  'Celsius',
  'European',
]);

const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

interface Fixture {
  documents: string[];
  questions: string[];
}

function fixtures(): Fixture {
  const documents = filesUnder(join(root, 'test', 'fixtures', 'documents')).map((file) => readFileSync(file, 'utf8'));
  const sets = ['questions.json', 'questions-more.json', 'questions-held-out.json'].map(
    (name) =>
      JSON.parse(readFileSync(join(root, 'test', 'eval', name), 'utf8')) as { questions: { question: string; history?: string[] }[] },
  );
  return { documents, questions: sets.flatMap((set) => set.questions.flatMap(({ question, history }) => [question, ...(history ?? [])])) };
}

/** Runs of five words of which two are long enough to mean something. */
function wordRuns(text: string): string[] {
  const all = words(text);
  return all
    .map((_, index) => all.slice(index, index + RUN))
    .filter((run) => run.length === RUN && run.filter((word) => word.length >= LONG_WORD).length >= 2)
    .map((run) => run.join(' '));
}

/** Eight signs of a script without spaces; hiragana alone is grammar. */
function signRuns(text: string): string[] {
  return [...text.matchAll(SPACELESS)]
    .flatMap(([run]) => Array.from({ length: Math.max(0, run.length - SIGNS + 1) }, (_, index) => run.slice(index, index + SIGNS)))
    .filter((run) => !/^\p{Script=Hiragana}+$/u.test(run));
}

/** Words that the documents write only with a capital, within a sentence; codes such as `AB-12`; numbers with what they count. */
function namesAndFacts(documents: string[]): string[] {
  const english = documents.filter((text) => / the /u.test(text)).join('\n');
  const lower = new Set(english.match(/(?<!\p{L})\p{Ll}+/gu) ?? []);
  const names = [...english.matchAll(/(?<=\p{Ll},? )\p{Lu}\p{Ll}{5,}/gu)].map(([name]) => name);
  const codes = english.match(/\b[A-Z]{1,3}-\d+\b/gu) ?? [];
  const facts = [...english.matchAll(/\b\d[\d,.]+ \p{Ll}{4,}/gu)].map(([fact]) => fact);
  return [...new Set([...names.filter((name) => !lower.has(name.toLowerCase()) && !EVERYBODYS.has(name)), ...codes, ...facts])];
}

/** What a source text has in common with the fixtures; empty when nothing. */
function borrowed(source: string, { documents, questions }: Fixture): string[] {
  const texts = [...documents, ...questions];
  const runs = new Set(texts.flatMap(wordRuns));
  const signs = new Set(texts.flatMap(signRuns));
  const exact = namesAndFacts(documents).filter((name) =>
    new RegExp(`(?<![\\p{L}\\p{N}])${name.replace(/[.]/gu, '\\.')}(?![\\p{L}\\p{N}])`, 'u').test(source),
  );
  return [...wordRuns(source).filter((run) => runs.has(run)), ...signRuns(source).filter((run) => signs.has(run)), ...exact];
}

describe('the product knows nothing of the documents by which it is measured', () => {
  const fixture = fixtures();

  it('sees a borrowed sentence, name, code and number', () => {
    const [first = ''] = fixture.documents;
    expect(borrowed(`// ${first.slice(200, 700)}`, fixture)).not.toEqual([]);
    const known = namesAndFacts(fixture.documents);
    expect(known.length).toBeGreaterThan(60);
    for (const name of known.slice(0, 10)) expect(borrowed(`const answer = '${name}';`, fixture)).toContain(name);
    const japanese = fixture.documents.flatMap(signRuns)[0] ?? '';
    expect(borrowed(`'${japanese}'`, fixture)).toEqual([japanese]);
    expect(borrowed('const port = 10200; // the address at which it listens', fixture)).toEqual([]);
  });

  it.each(filesUnder(join(root, 'libs')).map((file) => [file.slice(root.length + 1), file]))('%s borrows nothing', (_, file) => {
    expect(borrowed(readFileSync(file, 'utf8'), fixture)).toEqual([]);
  });
});
