// npm run bench:pdf -- [--pages 100] [--check]: reads a PDF of so many pages through the API with the built-in embedding; prints pages, chunks,
// whether every chunk is the exact slice of the text, the delay of the server's event loop while it works, and the seconds it took.
// With --check it fails where the figures miss their targets.
import { parseArgs } from 'node:util';
import { Client } from '../../scripts/client.mjs';
import { manual } from '../faults/manual.mjs';
import { ServerProcess } from '../support/server.mjs';
import { writePdf } from './pdf-writer.mjs';

const { values: options } = parseArgs({
  options: { pages: { type: 'string', default: '100' }, check: { type: 'boolean', default: false } },
});
const wanted = Number(options.pages);
const TARGET = { loopMilliseconds: 10, secondsForHundred: 60 };

/** The probe (loop-probe.cjs, preloaded) answers on a signal with one line and starts anew. */
async function loopDelay(server) {
  const before = server.log.length;
  server.child.kill('SIGUSR2');
  for (let n = 0; n < 500; n++) {
    const found = /LOOP (\{.*\})/.exec(server.log.slice(before));
    if (found !== null) return JSON.parse(found[1]);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('The event loop probe did not answer.');
}

async function chunksOf(client, id) {
  const chunks = [];
  for (let after = ''; ; after = `&after=${chunks.at(-1).id}`) {
    const page = await client.json('GET', `/api/v1/documents/${id}/chunks?limit=100&order=asc${after}`);
    chunks.push(...page.data);
    if (!page.has_more) return chunks;
  }
}

/** Pages on which chunks begin, and the first fault of one. */
function examined(text, chunks) {
  let covered = 0;
  for (const chunk of chunks) {
    if (text.slice(chunk.start, chunk.end) !== chunk.text) return { fault: `the chunk ${chunk.id} is no slice of the text` };
    if (text.slice(covered, Math.max(covered, chunk.start)).trim() !== '')
      return { fault: `the text before ${chunk.start} is in no chunk` };
    covered = Math.max(covered, chunk.end);
  }
  if (text.slice(covered).trim() !== '') return { fault: `the text after ${covered} is in no chunk` };
  return { pages: new Set(chunks.map((chunk) => chunk.page)).size };
}

const server = new ServerProcess({
  nodeFlags: ['--require', './test/bench/loop-probe.cjs'],
  environment: { RATE_LIMIT_PER_MINUTE: '10000000', LOG_LEVEL: 'warn' },
});
await server.start();
const faults = [];
try {
  const client = new Client(server.url);
  await client.register('bench@example.org', 'a long enough password');
  // The model is loaded, and the thread that reads files has done so once: as on a server that is in use.
  const first = await client.upload('short.pdf', writePdf([{ title: 'Warm-up', text: manual(0, 2) }]));
  await client.finish(first.job.id);
  const pages = Array.from({ length: wanted }, (_, n) => ({
    title: `Page ${n + 1} of the manual`,
    text: manual(n + 1, 8).replaceAll('#', ''),
  }));
  const bytes = writePdf(pages);
  await loopDelay(server);
  const started = performance.now();
  const { document, job } = await client.upload('hundred-pages.pdf', bytes);
  const last = await client.finish(job.id);
  const seconds = (performance.now() - started) / 1000;
  const loop = await loopDelay(server);
  const read = await client.json('GET', `/api/v1/documents/${document.id}`);
  const { text } = await client.json('GET', `/api/v1/documents/${document.id}/text`);
  const found = examined(text, await chunksOf(client, document.id));
  const say = (name, value) => process.stdout.write(`${name.padEnd(36)} ${value}\n`);
  say('job', last.event);
  say('PDF', `${(bytes.length / 1024).toFixed(0)} KiB, ${text.length} characters, ${text.split(/\s+/).length} words`);
  say('pages', `${read.pages}, chunks begin on ${found.pages ?? '?'} of them`);
  say('chunks', read.chunks);
  say('every chunk an exact slice, all text', found.fault ?? 'yes');
  say('event loop delay p99 / max', `${loop.p99} / ${loop.max} ms`);
  say('seconds from upload to ready', seconds.toFixed(1));
  if (last.event !== 'done' || read.pages !== wanted || found.pages !== wanted || found.fault !== undefined) faults.push('the text');
  if (loop.p99 > TARGET.loopMilliseconds) faults.push(`the event loop (p99 over ${TARGET.loopMilliseconds} ms)`);
  if (seconds > (TARGET.secondsForHundred * wanted) / 100) faults.push('the time');
} finally {
  await server.stop();
  server.remove();
}
if (faults.length > 0) process.stdout.write(`missed: ${faults.join(', ')}\n`);
if (options.check && faults.length > 0) process.exitCode = 1;
