// npm run bench:client-gone -- [--rounds 200] [--seed 1]: clients that leave at random moments: in the queue, before
// the first token, in the middle, streaming or not. 200 ms later the runtime must be at no work for them, and use no more tokens; in the end the
// server must answer as ever. Ends with 1 when it does not.
import { parseArgs } from 'node:util';
import { Client } from '../../scripts/client.mjs';
import { ServerProcess } from '../support/server.mjs';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } } });
const rounds = Number(options.rounds);
const CHAT = 'smollm2-135m-instruct';
const EMBEDDING = 'all-minilm-l6-v2';
const GRACE_MS = 200;
/** Longest time after which a client leaves; most answers asked for here take longer. */
const PATIENCE_MS = 1_500;
const QUIET_MS = 150;

/** Repeatable numbers from 0 to 1 (mulberry32). */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = randomNumbers(Number(options.seed));
const long = 'Tell a long story about a lighthouse. '.repeat(20);
const CALLS = {
  'chat, streamed': () => ['/v1/chat/completions', { model: CHAT, stream: true, messages: [{ role: 'user', content: long + random() }] }],
  'chat, whole': () => ['/v1/chat/completions', { model: CHAT, messages: [{ role: 'user', content: long + random() }] }],
  'completion, streamed': () => ['/v1/completions', { model: CHAT, stream: true, prompt: long + random(), max_tokens: 1_000 }],
  'completion, whole': () => ['/v1/completions', { model: CHAT, prompt: long + random(), max_tokens: 1_000 }],
  embeddings: () => ['/v1/embeddings', { model: EMBEDDING, input: Array.from({ length: 1_000 }, (_, index) => `${long} ${index}`) }],
};

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Sends a call and leaves at a moment; answers how far it had come. */
async function leave(server, token, [path, body], afterMs) {
  const gone = new AbortController();
  setTimeout(() => gone.abort(), afterMs);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  let state = 'before the answer';
  try {
    const response = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body), signal: gone.signal });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    state = 'in the answer';
    for await (const _ of response.body);
    state = 'after the answer';
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  }
  return state;
}

async function main() {
  const server = new ServerProcess({ environment: { LOG_LEVEL: 'warn', RATE_LIMIT_PER_MINUTE: '1000000' } });
  try {
    await server.start();
    const client = new Client(server.url);
    await client.register('bench@example.org', 'a long enough password');
    const activity = async () => {
      const cards = await Promise.all([CHAT, EMBEDDING].map((id) => client.json('GET', `/api/v1/models/${id}`)));
      return cards.reduce((sum, card) => sum + card.running + card.queued, 0);
    };
    const tokens = async () => {
      const { data } = await client.json('GET', '/api/v1/usage');
      return data.reduce((sum, row) => sum + row.input_tokens + row.output_tokens, 0);
    };
    // The server warms its models up by itself, which counts as work.
    await client.json('POST', '/v1/chat/completions', { model: CHAT, max_tokens: 1, messages: [{ role: 'user', content: 'Hello.' }] });
    while ((await activity()) > 0) await sleep(50);
    const states = {};
    const failures = [];
    for (let round = 0; round < rounds; round++) {
      const names = Object.keys(CALLS);
      const chosen = Array.from({ length: random() < 0.3 ? 2 : 1 }, () => names[Math.floor(random() * names.length)]);
      const afterMs = random() * PATIENCE_MS;
      const left = await Promise.all(chosen.map((name) => leave(server, client.token, CALLS[name](), afterMs)));
      for (const state of left) states[state] = (states[state] ?? 0) + 1;
      await sleep(GRACE_MS);
      const [working, before] = [await activity(), await tokens()];
      await sleep(QUIET_MS);
      const after = await tokens();
      if (working > 0 || after !== before) {
        failures.push(
          `round ${round} (${chosen.join(' and ')}, left after ${afterMs.toFixed(0)} ms): ${working} at work, ${after - before} tokens more`,
        );
      }
    }
    const answer = await client.json('POST', '/v1/chat/completions', {
      model: CHAT,
      max_tokens: 8,
      messages: [{ role: 'user', content: 'Say hello.' }],
    });
    if (!answer.choices[0].message.content) failures.push('the server does not answer any more');
    process.stdout.write(
      `${rounds} rounds; clients left ${Object.entries(states)
        .map(([state, count]) => `${state} ${count}`)
        .join(', ')}\n`,
    );
    process.stdout.write(`${failures.length} failures\n${failures.map((failure) => `  ${failure}\n`).join('')}`);
    return failures.length === 0 ? 0 : 1;
  } finally {
    await server.stop();
    server.remove();
  }
}

process.exitCode = await main();
