// npm run eval:answers [-- --held-out | --more | --follow-ups] [--only ID,ID] [--json FILE] [--verbose]
// Measures answer quality over HTTP: a real server process on an embedded database of its own, the real built-in models, documents loaded
// through the API, every labelled question asked as a user would. Exits with 1 when a figure misses its target.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from '../../scripts/client.mjs';
import { ServerProcess, repository } from '../support/server.mjs';
import { TARGETS, figures, judge, missed } from './judge.mjs';

const { values: options } = parseArgs({
  options: {
    'held-out': { type: 'boolean' },
    more: { type: 'boolean' },
    'follow-ups': { type: 'boolean' },
    only: { type: 'string' },
    json: { type: 'string' },
    verbose: { type: 'boolean' },
  },
});
const folder = join(repository, 'test', 'fixtures', 'documents');
const texts = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
const file = options['held-out']
  ? 'questions-held-out.json'
  : options.more
    ? 'questions-more.json'
    : options['follow-ups']
      ? 'follow-ups.json'
      : 'questions.json';
const only = options.only?.split(',');
const questions = JSON.parse(readFileSync(join(import.meta.dirname, file), 'utf8')).questions.filter(
  ({ id, kind }) => only === undefined || only.includes(id) || only.includes(kind),
);

const server = new ServerProcess({ environment: { LOG_LEVEL: 'warn' } });
try {
  await server.start();
  const client = new Client(server.url);
  await client.register('evaluation@example.org', 'correct horse battery staple');
  const results = [];
  for (const group of groupsByDocuments(questions)) {
    await holdExactly(client, group.documents);
    for (const question of group.questions) results.push(await measure(client, question));
  }
  process.exitCode = report(results);
} finally {
  await server.stop();
  server.remove();
}

/** Questions that are asked over the same documents; those over all of them come last, so that documents are loaded once more and not twice. */
function groupsByDocuments(all) {
  const groups = new Map();
  for (const question of all) {
    const documents = question.collection_documents ?? [...texts.keys()];
    const key = documents.join();
    groups.set(key, { documents, questions: [...(groups.get(key)?.questions ?? []), question] });
  }
  return [...groups.values()].sort((a, b) => a.documents.length - b.documents.length);
}

/** Makes the collection hold these documents and no others. */
async function holdExactly(client, names) {
  const { data } = await client.json('GET', '/api/v1/documents?collection=default&limit=100');
  for (const document of data) if (!names.includes(document.name)) await client.json('DELETE', `/api/v1/documents/${document.id}`);
  const there = new Set(data.map(({ name }) => name));
  for (const name of names.filter((wanted) => !there.has(wanted))) {
    const { job } = await client.upload(name, texts.get(name), { collection: 'default' });
    const last = await client.finish(job.id);
    if (last.event !== 'done') throw new Error(`${name} was not ingested: ${JSON.stringify(last.data)}`);
  }
}

async function measure(client, question) {
  const session = await client.json('POST', '/api/v1/chat/sessions', { collections: ['default'] });
  for (const turn of question.history ?? []) await ask(client, session.id, turn);
  const answer = await ask(client, session.id, question.question);
  const verdict = judge(question, answer, texts);
  if (options.verbose || isMiss(question, verdict)) show(question, answer, verdict);
  return { question, answer, verdict };
}

/** One question over the event stream, with the milliseconds from the request to the passages, to the first text and to the end. */
async function ask(client, sessionId, content) {
  const began = performance.now();
  const { job } = await client.json('POST', `/api/v1/chat/sessions/${sessionId}/messages`, { content });
  const seen = { given: [], text: '', times: {} };
  const last = await client.finish(job.id, ({ event, data }) => {
    const elapsed = performance.now() - began;
    if (event === 'citations' && !data.final) Object.assign(seen, { given: data.citations, times: { ...seen.times, passages: elapsed } });
    if (event === 'reset') seen.text = '';
    if (event !== 'delta') return;
    seen.times.firstText ??= elapsed;
    seen.text += data.text;
  });
  seen.times.end = performance.now() - began;
  if (last.event !== 'done') throw new Error(`"${content}" ended with ${last.event}: ${JSON.stringify(last.data)}`);
  if (seen.text !== last.data.content) throw new Error(`"${content}": the deltas are not the stored message.`);
  return { ...seen, message: last.data };
}

function isMiss(question, { hit, fact, refusal, cited, rightlyCited, unsupported }) {
  return hit === false || fact === false || refusal !== (question.document === null) || rightlyCited < cited || unsupported.length > 0;
}

function show(question, { message, times }, verdict) {
  const marks = Object.entries(verdict).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  console.log(`${question.id} (${Math.round(times.end)} ms) ${question.question}\n    ${marks.join(', ')}`);
  console.log(`    ${message.content.replaceAll('\n', '\n    ')}`);
}

/** Prints the figures; answers the exit code. */
function report(results) {
  const found = figures(results);
  const below = only === undefined ? missed(found) : [];
  console.log(`\n${results.length} questions of ${file}\n`);
  for (const [name, { least, most, name: words }] of Object.entries(TARGETS)) {
    const target = least === undefined ? `<= ${most}` : `>= ${least}`;
    console.log(`${below.includes(name) ? 'MISSED ' : '       '}${words.padEnd(42)} ${figure(found[name]).padStart(6)}   target ${target}`);
  }
  console.log('');
  breakdown('language', results);
  breakdown('kind', results);
  const times = Object.fromEntries(
    ['passages', 'firstText', 'end'].map((name) => [name, spread(results.map((r) => r.answer.times[name]))]),
  );
  console.log(
    `\nmilliseconds from the question, median (95 %): to the passages ${times.passages.words}, to the first text ${times.firstText.words}, to the end ${times.end.words}`,
  );
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ file, figures: found, missed: below, times, results }, null, 2)}\n`);
  return below.length === 0 ? 0 : 1;
}

function breakdown(property, results) {
  for (const value of [...new Set(results.map(({ question }) => question[property]))].sort()) {
    const found = figures(results.filter(({ question }) => question[property] === value));
    const parts = Object.keys(TARGETS).map((name) => `${name} ${figure(found[name])}`);
    console.log(`${property} ${value} (${found.questions}): ${parts.join(' · ')}`);
  }
}

function figure(value) {
  return value === null ? '-' : Number.isInteger(value) ? String(value) : value.toFixed(3);
}

function spread(values) {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN);
  return { median: at(0.5), p95: at(0.95), words: `${at(0.5)} (${at(0.95)})` };
}
