// npm run bench:idempotency -- [--rounds 200] [--parallel 50] [--replicas 2] [--kills 0]: rounds of one request sent many times at once under one
// Idempotency-Key, to the replicas in turn, over PostgreSQL. Each round must have one effect, and every answer must be the same bytes or 409; a last
// repeat gets those bytes. With --kills a replica is killed (kill -9) in the middle of so many rounds. Then what a key costs: a POST with and without
// one, in turn. Exits 1 when a promise broke. The models are a script.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startPostgres } from '../../scripts/services.mjs';
import { repository, ServerProcess } from '../support/server.mjs';
import { ROUTES } from './idempotency/routes.mjs';
import { Sender } from './idempotency/sender.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    parallel: { type: 'string', default: '50' },
    replicas: { type: 'string', default: '2' },
    kills: { type: 'string', default: '0' },
  },
});
const [rounds, parallel, replicas, kills] = [options.rounds, options.parallel, options.replicas, options.kills].map(Number);
/** A process is killed within so many milliseconds after its round began: before, amid and after its commits. */
const KILL_WITHIN_MS = 150;
const COST_TRIES = 300;
const SESSIONS = '/api/v1/chat/sessions';

const postgres = await startPostgres();
const environment = {
  DATABASE_URL: postgres.url,
  RATE_LIMIT_PER_MINUTE: '10000000',
  LOG_LEVEL: 'warn',
  CHAT_MODEL: 'scripted',
  EMBEDDING_MODEL: 'scripted-embedding',
  JWT_SECRET: 'a secret of several processes, 32 bytes and more',
};
const nodeFlags = ['--require', join(repository, 'test', 'fuzz', 'fuzz-model.cjs')];
const servers = Array.from({ length: replicas }, () => new ServerProcess({ environment, nodeFlags }));
const database = new pg.Client({ connectionString: postgres.url });
const sender = new Sender();
const totals = { first: 0, replayed: 0, refused: 0, unanswered: 0, effects: 0, killed: 0 };
const faults = [];
const say = (line) => process.stdout.write(`${line}\n`);

try {
  await database.connect();
  for (const server of servers) await server.start();
  const account = { email: 'race@example.org', password: 'a long enough password' };
  const { text } = await sender.post(servers[0], '/api/v1/auth/register', account);
  sender.token = JSON.parse(text).access_token;
  const every = kills === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(rounds / kills));
  for (let number = 0; number < rounds; number += 1) {
    // One person may be in a hundred workspaces.
    if (number % 50 === 49)
      await database.query("DELETE FROM memberships m USING workspaces w WHERE w.id = m.workspace_id AND w.name LIKE 'race-%'");
    await round(number, number % every === every - 1 && totals.killed < kills);
  }
  say(`${rounds} rounds of ${parallel} at once over ${replicas} processes, ${totals.killed} killed: ${JSON.stringify(totals)}`);
  for (const fault of faults.slice(0, 20)) say(`BROKEN ${fault}`);
  say(faults.length === 0 ? 'every round had one effect and one answer' : `${faults.length} promises broken`);
  await cost();
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  await database.end();
  await Promise.allSettled(servers.map((server) => server.stop()));
  for (const server of servers) server.remove();
  await postgres.stop();
}

async function round(number, kill) {
  const route = ROUTES[number % ROUTES.length];
  const mark = `race-${number}-${randomUUID().slice(0, 8)}`;
  const key = { 'idempotency-key': mark };
  const sending = Array.from({ length: parallel }, (_, n) => sender.post(servers[n % replicas], route.path, route.body(mark), key));
  if (kill) await killed(servers[number % replicas]);
  const answers = await Promise.all(sending);
  const last = await settled(route, mark, key);
  for (const fault of judged(route, answers, last, kill)) faults.push(`${mark} ${route.path}: ${fault}`);
  const { n: effects } = (await database.query(route.count, [mark])).rows[0];
  totals.effects += effects;
  if (effects !== 1) faults.push(`${mark} ${route.path}: ${effects} effects`);
}

async function killed(server) {
  await delay(Math.random() * KILL_WITHIN_MS);
  await server.kill();
  totals.killed += 1;
  await server.start();
}

/** The repeat after all, once nobody is at work any more. */
async function settled(route, mark, key) {
  for (let tries = 0; ; tries += 1) {
    const answer = await sender.post(servers[0], route.path, route.body(mark), key);
    if (!answer.text.includes('idempotency_in_progress') || tries > 200) return answer;
    await delay(50);
  }
}

function judged({ secret }, answers, last, kill) {
  const found = [];
  const whole = answers.filter(({ status }) => status >= 200 && status < 300);
  const first = whole.filter(({ replayed }) => !replayed).length;
  const refused = answers.filter(({ status, text }) => status === 409 && (text.includes('idempotency_in_progress') || secret));
  const unanswered = answers.filter(({ status }) => status === 0);
  totals.first += first;
  totals.replayed += whole.length - first;
  totals.refused += refused.length;
  totals.unanswered += unanswered.length;
  const other = answers.find((answer) => ![whole, refused, unanswered].some((kind) => kind.includes(answer)));
  if (other !== undefined) found.push(`answered ${other.status} ${other.text.slice(0, 200)}`);
  if (!kill && unanswered.length > 0) found.push(`${unanswered.length} without an answer: ${unanswered[0].text}`);
  if (kill ? first > 1 : first !== 1) found.push(`${first} answers were no repeats`);
  if (new Set([...whole, ...(secret ? [] : [last])].map(({ bytes }) => bytes)).size !== 1 && whole.length > 0)
    found.push('different answers');
  if (secret ? ![201, 409].includes(last.status) : last.status >= 300) found.push(`the repeat answered ${last.status} ${last.text}`);
  return found;
}

async function cost() {
  const times = { without: [], with: [], repeated: [] };
  const timed = async (kind, headers) => {
    const started = performance.now();
    await sender.post(servers[0], SESSIONS, { title: 'cost' }, headers);
    times[kind].push(performance.now() - started);
  };
  for (let n = 0; n < COST_TRIES; n += 1) {
    await timed('without', {});
    await timed('with', { 'idempotency-key': randomUUID() });
    await timed('repeated', { 'idempotency-key': 'the cost of a repeat' });
  }
  const median = (kind) => `${[...times[kind]].sort((a, b) => a - b)[COST_TRIES / 2].toFixed(2)} ms`;
  say(`a POST of a session, median: ${median('without')} without a key, ${median('with')} with a new one, ${median('repeated')} repeated`);
}
