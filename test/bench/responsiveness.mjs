// npm run bench:responsiveness -- [--seconds 20]: the latency of other requests and the delay of the server's event loop while it generates
// and while it ingests 100 pages of text, each beside an idle baseline of the same run; then memory and start-up times.
import { parseArgs } from 'node:util';
import { manual } from '../faults/manual.mjs';
import { Client } from '../../scripts/client.mjs';
import { ServerProcess } from '../support/server.mjs';

const { values: options } = parseArgs({ options: { seconds: { type: 'string', default: '20' } } });
const seconds = Number(options.seconds);

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One request after the other on three cheap routes until told to stop; answers the milliseconds of each. */
async function sample(client, stopped) {
  const times = [];
  const paths = ['/api/v1/auth/me', '/api/v1/documents?limit=5', '/api/v1/jobs?limit=5', '/livez'];
  for (let n = 0; !stopped(); n++) {
    const started = performance.now();
    await (await client.request('GET', paths[n % paths.length])).arrayBuffer();
    times.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return times;
}

/** Samples while `work` runs; the event loop's delay is read from the probe inside the server. */
async function during(name, client, server, work) {
  let over = false;
  await loopDelay(server);
  const [times] = await Promise.all([sample(client, () => over), work().finally(() => (over = true))]);
  const loop = await loopDelay(server);
  const figure = (value) => value.toFixed(1).padStart(7);
  process.stdout.write(
    `${name.padEnd(28)} ${String(times.length).padStart(5)} requests  p50 ${figure(percentile(times, 0.5))}  p99 ${figure(percentile(times, 0.99))}  max ${figure(Math.max(...times))} ms   event loop p99 ${figure(loop.p99)}  max ${figure(loop.max)} ms\n`,
  );
}

/** The probe (loop-probe.cjs, preloaded) answers on a signal with one line and starts anew. */
async function loopDelay(server) {
  const before = server.log.length;
  server.child.kill('SIGUSR2');
  for (let n = 0; n < 200; n++) {
    const found = /LOOP (\{.*\})/.exec(server.log.slice(before));
    if (found !== null) return JSON.parse(found[1]);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('The event loop probe did not answer.');
}

const server = new ServerProcess({
  nodeFlags: ['--require', './test/bench/loop-probe.cjs'],
  environment: { RATE_LIMIT_PER_MINUTE: '10000000', LOG_LEVEL: 'warn' },
});
const started = await server.start();
const client = new Client(server.url);
await client.register('bench@example.org', 'a long enough password');
process.stdout.write(`start on an empty directory       ${(started / 1000).toFixed(2)} s to ready\n`);

const document = await client.upload('short.md', manual(1, 10));
await client.finish(document.job.id);
await during('idle', client, server, () => new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / 2)));
await during('generating', client, server, async () => {
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    const session = await client.json('POST', '/api/v1/chat/sessions', { model: 'smollm2-135m-instruct' });
    const { job } = await client.json('POST', `/api/v1/chat/sessions/${session.id}/messages`, {
      content: 'Write a long story about a lighthouse keeper and the sea.',
      options: { max_tokens: 400 },
    });
    await client.finish(job.id);
  }
});
// A page of text has about 500 words; a station's section 80.
const hundredPages = Array.from({ length: 21 }, (_, n) => manual(n + 2, 40)).join('\n');
await during('ingesting 100 pages', client, server, async () => {
  const ingest = performance.now();
  const { job } = await client.upload('hundred-pages.md', hundredPages);
  const last = await client.finish(job.id);
  process.stdout.write(
    `${(hundredPages.split(/\s+/).length / 500).toFixed(0)} pages of 500 words ended with ${last.event} after ${((performance.now() - ingest) / 1000).toFixed(1)} s\n`,
  );
});
process.stdout.write(`memory after that, both models     ${server.residentMegabytes().toFixed(0)} MB\n`);
const stopped = await server.stop();
process.stdout.write(`stop                               ${(stopped.milliseconds / 1000).toFixed(2)} s, exit code ${stopped.code}\n`);

for (const [name, environment] of [
  ['without models', { MODELS_DIR: `${server.directory}/none` }],
  ['with both models', {}],
]) {
  const again = new ServerProcess({ directory: server.directory, environment });
  process.stdout.write(`second start, ${name.padEnd(16)}     ${((await again.start()) / 1000).toFixed(2)} s to ready\n`);
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  process.stdout.write(`memory idle, ${name.padEnd(16)}      ${again.residentMegabytes().toFixed(0)} MB\n`);
  await again.stop();
}
server.remove();
