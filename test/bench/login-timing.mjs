// npm run bench:login-timing -- [--what login|accept] [--samples 2000] [--seed 1]: whether the time of a refusal tells who has an account (login: a
// known against an unknown e-mail) or which token was once good (accept: a used against an unknown reset token). Requests go one after the other over
// one connection, both kinds at random, each address and e-mail within its limits. The area under the ROC curve (Mann-Whitney) is 0.5 when the two
// cannot be told apart. Ends with 1 when it lies outside 0.45..0.55.
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { ServerProcess } from '../support/server.mjs';

const { values: options } = parseArgs({
  options: { what: { type: 'string', default: 'login' }, samples: { type: 'string' }, seed: { type: 'string', default: '1' } },
});
const WHAT = options.what;
if (!['login', 'accept'].includes(WHAT)) throw new Error('--what is login or accept.');
const SAMPLES = Number(options.samples ?? (WHAT === 'login' ? 2_000 : 1_000));
/** Each e-mail fails at most eight times: fewer than its limit of a minute, however fast the machine is. */
const ACCOUNTS = Math.max(10, Math.ceil(SAMPLES / 8));
const WARM_UP = 40;
const [LEAST, MOST] = [0.45, 0.55];
const PASSWORD = 'correct horse battery staple';

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
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let addresses = 0;

/** Sends JSON over the one connection, from a client's address of its own; answers the status, the body and the milliseconds until its last byte. */
function send(server, path, body, token) {
  addresses += 1;
  const address = `198.18.${(addresses >> 8) & 255}.${addresses & 255}`;
  const content = body === undefined ? undefined : JSON.stringify(body);
  const headers = { 'x-forwarded-for': address, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  if (content !== undefined) Object.assign(headers, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) });
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const call = request(server.url + path, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.on('data', (bytes) => (text += bytes));
      response.once('end', () => resolve({ status: response.statusCode, text, milliseconds: performance.now() - begun }));
      response.once('error', reject);
    });
    call.once('error', reject);
    call.end(content);
  });
}

async function made(server, path, body, status, token) {
  const answer = await send(server, path, body, token);
  if (answer.status !== status) throw new Error(`${path} answered ${answer.status}: ${answer.text}`);
  return JSON.parse(answer.text);
}

/** The first user comes without a proxy's word, from the machine itself. */
async function registerAdmin(server) {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ email: 'admin@example.org', password: PASSWORD });
  const response = await fetch(`${server.url}/api/v1/auth/register`, { method: 'POST', headers, body });
  if (response.status !== 201) throw new Error(`The first registration answered ${response.status}.`);
  return (await response.json()).access_token;
}

const newEmail = () => `${randomBytes(12).toString('hex')}@example.org`;

/** E-mails that have an account, and as many of the same form that have none. */
async function loginKinds(server) {
  const known = Array.from({ length: ACCOUNTS }, newEmail);
  const unknown = Array.from({ length: ACCOUNTS }, newEmail);
  for (const email of known) await made(server, '/api/v1/auth/register', { email, password: PASSWORD }, 201);
  const attempt = (emails) => (round) => ['/api/v1/auth/login', { email: emails[round % ACCOUNTS], password: `wrong ${PASSWORD}` }];
  return { status: 401, names: ['known e-mail', 'unknown e-mail'], kinds: [attempt(known), attempt(unknown)] };
}

/** Reset tokens that were good and are used, and as many of the same form that never were. */
async function acceptKinds(server, admin) {
  const used = [];
  for (let count = 0; count < 20; count++) {
    const { user } = await made(server, '/api/v1/auth/register', { email: newEmail(), password: PASSWORD }, 201);
    const { reset_token: token } = await made(server, `/api/v1/users/${user.id}/reset`, undefined, 201, admin);
    await made(server, '/api/v1/auth/accept', { reset_token: token, password: PASSWORD }, 200);
    used.push(token);
  }
  const unknown = used.map(() => `pr-${randomBytes(32).toString('base64url')}`);
  const attempt = (tokens) => (round) => ['/api/v1/auth/accept', { reset_token: tokens[round % tokens.length], password: PASSWORD }];
  return { status: 400, names: ['used token', 'unknown token'], kinds: [attempt(used), attempt(unknown)] };
}

/** Both kinds equally often, in random order. */
function shuffled(count) {
  const order = Array.from({ length: 2 * count }, (_, place) => place % 2);
  for (let place = order.length - 1; place > 0; place--) {
    const other = Math.floor(random() * (place + 1));
    [order[place], order[other]] = [order[other], order[place]];
  }
  return order;
}

async function measure(server, { status, kinds }) {
  const times = [[], []];
  const rounds = [0, 0];
  for (const [place, kind] of [...shuffled(WARM_UP / 2), ...shuffled(SAMPLES)].entries()) {
    const [path, body] = kinds[kind](rounds[kind]++);
    const answer = await send(server, path, body);
    if (answer.status !== status) throw new Error(`${path} answered ${answer.status}: ${answer.text}`);
    if (place >= WARM_UP) times[kind].push(answer.milliseconds);
  }
  return times;
}

/** The probability that one of the first takes longer than one of the second, a tie counting half: from the ranks (Mann and Whitney, 1947). */
function areaUnderCurve(first, second) {
  const all = [...first.map((time) => [time, 0]), ...second.map((time) => [time, 1])].sort(([one], [other]) => one - other);
  let ranks = 0;
  for (let place = 0; place < all.length; ) {
    let end = place;
    while (end < all.length && all[end][0] === all[place][0]) end++;
    const rank = (place + 1 + end) / 2;
    for (; place < end; place++) if (all[place][1] === 0) ranks += rank;
  }
  return (ranks - (first.length * (first.length + 1)) / 2) / (first.length * second.length);
}

const median = (times) => [...times].sort((one, other) => one - other)[Math.floor(times.length / 2)];

async function main() {
  const environment = { LOG_LEVEL: 'warn', AUTH_REGISTRATION: 'open', TRUSTED_PROXIES: '127.0.0.1', RATE_LIMIT_PER_MINUTE: '10000000' };
  const server = new ServerProcess({ environment });
  try {
    await server.start();
    const admin = await registerAdmin(server);
    const plan = await (WHAT === 'login' ? loginKinds(server) : acceptKinds(server, admin));
    const times = await measure(server, plan);
    const area = areaUnderCurve(...times);
    for (const [kind, name] of plan.names.entries())
      process.stdout.write(`${name}: ${times[kind].length} refusals, median ${median(times[kind]).toFixed(3)} ms\n`);
    process.stdout.write(`AUC ${area.toFixed(4)} (must be ${LEAST} to ${MOST})\n`);
    return area >= LEAST && area <= MOST ? 0 : 1;
  } finally {
    agent.destroy();
    await server.stop();
    server.remove();
  }
}

process.exitCode = await main();
