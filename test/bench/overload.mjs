// npm run bench:overload -- [--seconds 20] [--times 3]: what a model still answers when three times as much is asked as it can do. A real server with the
// built-in model and short answers: first as many calls as it can take (closed loop), then calls at a fixed rate, whether the ones before were answered or
// not (open loop), from four workspaces of which one asks for as much as the other three together. Ends with 1 when the goodput falls under 90 % of the
// peak, refusals take longer than 50 ms (p99) or lack Retry-After, or a workspace gets less than 80 % of an equal share.
import { parseArgs } from 'node:util';
import { Client } from '../../scripts/client.mjs';
import { ServerProcess } from '../support/server.mjs';

const { values: options } = parseArgs({ options: { seconds: { type: 'string', default: '20' }, times: { type: 'string', default: '3' } } });
const SECONDS = Number(options.seconds);
const TIMES = Number(options.times);
const CHAT = 'smollm2-135m-instruct';
const WORKSPACES = ['a', 'b', 'c', 'd'];
/** Of six calls, whose is which: the first asks three times as much as each of the others. */
const TURNS = ['a', 'b', 'a', 'c', 'a', 'd'];
/** Calls under way in the closed loop: one at work, the others ready to follow it. */
const CLOSED = 8;
const LEAST_GOODPUT = 0.9;
const SLOWEST_REFUSAL_MS = 50;
const LEAST_SHARE = 0.8;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const percentile = (values, share) => [...values].sort((a, b) => a - b)[Math.ceil(values.length * share) - 1];

let asked = 0;

/** One short answer. */
async function call(server, token, workspace) {
  const started = performance.now();
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: CHAT,
      max_tokens: 8,
      messages: [{ role: 'user', content: `Say something about the number ${asked++}.` }],
    }),
  });
  const text = await response.text();
  const ended = performance.now();
  const retryAfter = response.headers.get('retry-after');
  return { workspace, status: response.status, retryAfter, text, ended, milliseconds: ended - started };
}

/** Answers a second while there is always one more that waits. */
async function peakOf(server, tokens) {
  const until = performance.now() + SECONDS * 1_000;
  const answers = [];
  const started = performance.now();
  const client = async (_, index) => {
    const workspace = WORKSPACES[index % WORKSPACES.length];
    while (performance.now() < until) answers.push(await call(server, tokens[workspace], workspace));
  };
  await Promise.all(Array.from({ length: CLOSED }, client));
  const wrong = answers.find(({ status }) => status !== 200);
  if (wrong !== undefined) throw new Error(`Below saturation a call was answered ${wrong.status}: ${wrong.text}`);
  return answers.length / ((performance.now() - started) / 1_000);
}

/** Calls at a fixed rate for the whole time; their answers as they come. */
async function offer(server, tokens, rate) {
  const answers = [];
  const started = performance.now();
  const until = started + SECONDS * 1_000;
  const under = [];
  for (let sent = 0; performance.now() < until; sent++) {
    const due = started + (sent / rate) * 1_000;
    if (due > performance.now()) await sleep(due - performance.now());
    const workspace = TURNS[sent % TURNS.length];
    under.push(call(server, tokens[workspace], workspace).then((answer) => answers.push(answer)));
  }
  const sent = under.length;
  await Promise.all(under);
  return { answers, sent, until };
}

async function main() {
  const server = new ServerProcess({ environment: { LOG_LEVEL: 'warn', RATE_LIMIT_PER_MINUTE: '1000000', AUTH_REGISTRATION: 'open' } });
  const failures = [];
  const say = (line) => process.stdout.write(`${line}\n`);
  const demand = (holds, what) => holds || failures.push(what);
  try {
    await server.start();
    const tokens = {};
    for (const name of WORKSPACES) {
      const client = new Client(server.url);
      await client.register(`${name}@example.org`, 'a long enough password');
      tokens[name] = client.token;
    }
    // The weights are in memory, and the server has warmed up.
    for (let time = 0; time < 5; time++) await call(server, tokens.a, 'a');
    const peak = await peakOf(server, tokens);
    say(`saturation: ${peak.toFixed(1)} answers/s over ${SECONDS} s with ${CLOSED} calls under way`);
    const { answers, sent, until } = await offer(server, tokens, peak * TIMES);
    const good = answers.filter(({ status, ended }) => status === 200 && ended <= until);
    const refused = answers.filter(({ status }) => status === 503);
    const goodput = good.length / SECONDS;
    say(`offered: ${(sent / SECONDS).toFixed(1)} calls/s (${TIMES} x saturation) over ${SECONDS} s, ${sent} calls`);
    say(
      `goodput: ${goodput.toFixed(1)} answers/s, ${((goodput / peak) * 100).toFixed(0)} % of the peak (at least ${LEAST_GOODPUT * 100} %)`,
    );
    demand(goodput >= peak * LEAST_GOODPUT, 'the goodput is too low');
    const times = refused.map(({ milliseconds }) => milliseconds);
    const [p50, p99] = [percentile(times, 0.5) ?? Infinity, percentile(times, 0.99) ?? Infinity];
    say(`refused: ${refused.length}, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms (at most ${SLOWEST_REFUSAL_MS} ms)`);
    demand(p99 <= SLOWEST_REFUSAL_MS, 'refusals are too slow');
    const told = refused.filter(({ retryAfter, text }) => /^\d+$/.test(retryAfter ?? '') && JSON.parse(text).error.code !== undefined);
    const waits = told.map(({ retryAfter }) => Number(retryAfter));
    say(`Retry-After: on ${told.length} of ${refused.length} refusals, ${Math.min(...waits)} to ${Math.max(...waits)} s`);
    demand(told.length === refused.length && refused.length > 0, 'refusals lack Retry-After');
    const others = answers.filter(({ status }) => status !== 200 && status !== 503);
    say(`anything else: ${others.length}`);
    demand(others.length === 0, `other answers: ${[...new Set(others.map(({ status }) => status))].join(', ')}`);
    const shares = WORKSPACES.map((name) => good.filter(({ workspace }) => workspace === name).length / good.length);
    const asks = WORKSPACES.map((name) => TURNS.filter((turn) => turn === name).length / TURNS.length);
    const shown = WORKSPACES.map((name, at) => `${name} ${(shares[at] * 100).toFixed(0)} % (asked ${(asks[at] * 100).toFixed(0)} %)`);
    say(`shares of the answers: ${shown.join(', ')} (each at least ${((LEAST_SHARE / WORKSPACES.length) * 100).toFixed(0)} %)`);
    demand(Math.min(...shares) >= LEAST_SHARE / WORKSPACES.length, 'a workspace got too small a share');
    process.stdout.write(failures.length === 0 ? 'overload: ok\n' : `overload: failed (${failures.join('; ')})\n`);
    return failures.length === 0 ? 0 : 1;
  } finally {
    await server.stop();
    server.remove();
  }
}

process.exitCode = await main();
