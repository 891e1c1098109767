// npm run bench:vectors -- [--rounds 5]: 1,000 points of 384 components written as JSON numbers, base64 and in the bulk format: the server's CPU
// for each point and the ratio to JSON numbers; then the median of a search over 5,000 and 20,000 points.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ServerProcess } from '../support/server.mjs';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Number(options.rounds);
const DIMENSIONS = 384;
const BATCH = 1_000;
const TICK_MS = 10;

const server = new ServerProcess({ environment: { RATE_LIMIT_PER_MINUTE: '100000' } });

function vector() {
  return Float32Array.from({ length: DIMENSIONS }, () => Math.random() - 0.5);
}

/** CPU that the server has used so far, all threads (Linux counts it in hundredths of a second). */
function cpu() {
  const fields = readFileSync(`/proc/${server.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function send(method, path, body, type = 'application/json') {
  const headers = { 'content-type': type, ...(server.token === undefined ? {} : { authorization: `Bearer ${server.token}` }) };
  const response = await fetch(server.url + path, { method, headers, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 300)}`);
  return JSON.parse(text);
}

const FORMS = {
  'JSON numbers': (ids, vectors) => [JSON.stringify({ points: ids.map((id, n) => ({ id, vector: [...vectors[n]] })) })],
  base64: (ids, vectors) => [
    JSON.stringify({ points: ids.map((id, n) => ({ id, vector: Buffer.from(vectors[n].buffer).toString('base64') })) }),
  ],
  'octet-stream': (ids, vectors) => {
    const header = Buffer.from(JSON.stringify({ ids, dimensions: DIMENSIONS }));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(header.length);
    return [Buffer.concat([length, header, ...vectors.map((each) => Buffer.from(each.buffer))]), 'application/octet-stream'];
  },
};

async function writing(path) {
  const ids = Array.from({ length: BATCH }, (_, n) => `p${n}`);
  let first;
  for (const [name, form] of Object.entries(FORMS)) {
    await send('PUT', `${path}/points`, ...form(ids, ids.map(vector)));
    const bodies = Array.from({ length: rounds }, () => form(ids, ids.map(vector)));
    const [used, started] = [cpu(), performance.now()];
    for (const body of bodies) await send('PUT', `${path}/points`, ...body);
    const perPoint = (cpu() - used) / rounds / BATCH;
    const wall = (performance.now() - started) / rounds;
    first ??= perPoint;
    process.stdout.write(
      `${name.padEnd(14)} ${(perPoint * 1000).toFixed(0).padStart(5)} µs CPU a point, ${(perPoint / first).toFixed(2)} of JSON; ${wall.toFixed(0)} ms a batch\n`,
    );
  }
}

async function searching(path) {
  for (let size = BATCH; size <= 20_000; size += BATCH) {
    const ids = Array.from({ length: BATCH }, (_, n) => `p${size + n}`);
    if (size > BATCH) await send('PUT', `${path}/points`, ...FORMS['octet-stream'](ids, ids.map(vector)));
    if (size !== 5_000 && size !== 20_000) continue;
    const times = [];
    for (let n = 0; n < 30; n++) {
      const started = performance.now();
      await send('POST', `${path}/search`, JSON.stringify({ vector: [...vector()], limit: 10 }));
      times.push(performance.now() - started);
    }
    times.sort((a, b) => a - b);
    process.stdout.write(`search over ${size} points: median ${times[15].toFixed(1)} ms, most ${times.at(-1).toFixed(1)} ms\n`);
  }
}

await server.start();
try {
  const account = JSON.stringify({ email: 'bench@example.org', password: 'correct horse battery staple' });
  server.token = (await send('POST', '/api/v1/auth/register', account)).access_token;
  await send('POST', '/api/v1/vectors/collections', JSON.stringify({ name: 'bench', dimensions: DIMENSIONS }));
  const path = '/api/v1/vectors/collections/bench';
  await writing(path);
  await searching(path);
} finally {
  await server.stop();
  server.remove();
}
