import { parseEvents } from '../client.mjs';
import { Obstacle } from './account.mjs';

const COLLECTION = 'default';
const WIDTH = 24;

const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;

/** Uploads a document and follows its ingestion with a bar; a document that is there already is taken as it is. */
export async function ingest(client, name, content, out = process.stdout) {
  const began = performance.now();
  const { document, job } = await client.upload(name, content, { collection: COLLECTION });
  if (job === undefined || job === null) return void out.write(`  ${name}: already there\n`);
  const last = await client.finish(job.id, ({ event, data }) => {
    if (event === 'progress' && out.isTTY) out.write(`\r\x1b[K  ${name} [${bar(data.done / data.total)}] ${data.message}`);
  });
  if (out.isTTY) out.write('\r\x1b[K');
  if (last.event !== 'done') throw new Obstacle(`${name} could not be read: ${last.data.message ?? last.event}.`);
  const { chunks } = await client.json('GET', `/api/v1/documents/${document.id}`);
  out.write(`  ${name}: ${chunks} passages in ${seconds(performance.now() - began)}\n`);
}

export async function newSession(client) {
  return client.json('POST', '/api/v1/chat/sessions', { collections: [COLLECTION] });
}

/** Asks over the event stream and prints the answer as it comes, its sources and the times. */
export async function ask(client, session, question, out = process.stdout) {
  const began = performance.now();
  out.write(`\n> ${question}\n`);
  const response = await client.request('POST', `/api/v1/chat/sessions/${session.id}/messages`, {
    body: { content: question },
    headers: { accept: 'text/event-stream' },
    signal: AbortSignal.timeout(600_000),
  });
  let firstText;
  let last;
  for await (const event of parseEvents(response.body)) {
    last = event;
    if (event.event === 'reset') out.write('\n(starting again)\n');
    if (event.event !== 'delta') continue;
    firstText ??= performance.now();
    out.write(event.data.text);
  }
  if (last?.event !== 'done')
    throw new Obstacle(`The answer ended with ${last?.event ?? 'a cut connection'}: ${last?.data?.message ?? ''}`);
  out.write('\n');
  for (const citation of last.data.citations) out.write(`  ${sourceLine(citation)}\n`);
  const first = firstText === undefined ? '' : `first text after ${seconds(firstText - began)}, `;
  out.write(`  (${first}done after ${seconds(performance.now() - began)})\n`);
  return last.data;
}

function sourceLine({ index, document, page, start, end, quote }) {
  const place = page === undefined ? `characters ${start}-${end}` : `page ${page}`;
  const opening = (quote ?? '').replace(/\s+/gu, ' ').trim();
  return `[${index}] ${document}, ${place}: ${opening.length > 90 ? `${opening.slice(0, 90)}…` : opening}`;
}

function bar(share) {
  const full = Math.round(Math.min(1, share || 0) * WIDTH);
  return '#'.repeat(full) + '.'.repeat(WIDTH - full);
}

/** Runs a script's work; what a person can mend is said in one sentence. */
export async function showing(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Obstacle) && error?.problem === undefined) throw error;
    console.error(error instanceof Obstacle ? error.message : `The server refused: ${error.message}`);
    process.exitCode = 1;
  }
}
