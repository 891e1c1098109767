// Jobs and requests whose models are a recording upstream: it writes down when each connection was closed, and the tokens it had sent until then.
import { createServer } from 'node:http';
import { join } from 'node:path';
import { RECORDED_CHAT, RECORDED_EMBEDDING, RecordingOllama } from '../../support/recording-ollama.mjs';
import { repository } from '../../support/server.mjs';
import { inTime, MOST_MS, sleep, State } from './figures.mjs';
import { Stage } from './stage.mjs';

/** Milliseconds between two tokens of the upstream. */
const PACE = 10;
/** A cancel comes at a random moment of so many milliseconds after its state is reached. */
const WINDOW = 60;
const LONG = Array.from(
  { length: 24 },
  (_, n) => `## Part ${n}\n\n${`The keeper of light ${n} wrote down wind and waves. `.repeat(14)}`,
).join('\n\n');
const QUESTION = 'When does the ferry leave?';
const talk = (request) => request.talk(PACE);
const embed = (request) => request.embed();

/** A page that never ends; tells when its reader came and when he left. */
class EndlessPage {
  static async open() {
    const page = new EndlessPage();
    page.server = createServer((_, response) => {
      const left = new Promise((resolve) => response.once('close', () => resolve(performance.now())));
      response.writeHead(200, { 'content-type': 'text/plain' });
      const timer = setInterval(() => response.write('More of an endless page. '), PACE);
      void left.then(() => clearInterval(timer));
      page.arrive?.(left);
    });
    await new Promise((resolve) => page.server.listen(0, '127.0.0.1', resolve));
    page.url = `http://127.0.0.1:${page.server.address().port}/`;
    return page;
  }

  visited() {
    return new Promise((resolve) => (this.arrive = (left) => resolve({ left })));
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** Each begins something and answers its job and what must stop: `stopped` resolves with the moment, `tokens()` with those sent so far. */
function jobStates({ stage, upstream, page, agentId }) {
  const session = { model: RECORDED_CHAT };
  const until = (request) => ({ stopped: request.closed.then(() => request.closedAt), tokens: () => request.tokens });
  const answer =
    (plan, path = 'chat', more = {}) =>
    async () => {
      upstream.plan = plan;
      const { jobId } = await stage.ask(QUESTION, { ...session, ...more });
      return { jobId, ...until(await upstream.next(path)) };
    };
  const ingest = (plan, batch) => async (round) => {
    let seen = 0;
    const { promise, resolve } = Promise.withResolvers();
    upstream.plan = {
      embed(request) {
        seen += 1;
        if (seen === batch) resolve(request);
        plan(request, seen);
      },
    };
    const { job } = await stage.client.upload(`log-${round}-${batch}.md`, `${LONG} ${round} ${batch} ${Math.random()}`);
    const first = await promise;
    // Between batches the connections come and go: what counts is the last request that was made.
    const stopped = async () => {
      for (;;) {
        const last = upstream.requests.at(-1);
        await last.closed;
        await sleep(50);
        if (upstream.requests.at(-1) === last) return last.finished ? undefined : last.closedAt;
      }
    };
    return { jobId: job.id, stopped: batch === 1 ? first.closed.then(() => first.closedAt) : stopped, tokens: () => seen };
  };
  return {
    'before the first token (model loads, prompt is read)': answer({}),
    'while tokens come': answer({ chat: talk }),
    'while tokens come, somebody waits for the answer': async () => {
      upstream.plan = { chat: talk };
      const { id } = await stage.client.json('POST', '/api/v1/chat/sessions', session);
      const waiting = stage.client.json('POST', `/api/v1/chat/sessions/${id}/messages?wait=50`, { content: QUESTION });
      const request = await upstream.next('chat');
      const { rows } = await stage.database.query("SELECT id FROM jobs WHERE status = 'running' AND subject_id = $1", [id]);
      const stopped = Promise.all([request.closed, waiting]).then(
        ([
          ,
          {
            answer: { status },
          },
        ]) => {
          if (status !== 'cancelled') throw new Error(`who waited was told ${status}`);
          return performance.now();
        },
      );
      return { jobId: rows[0].id, stopped, tokens: () => request.tokens };
    },
    'retrieval (the question is embedded)': answer({}, 'embed', { collections: ['default'] }),
    'inside a tool of an agent': async () => {
      upstream.plan = { chat: (request) => request.end({ name: 'search_collection', arguments: { query: 'ferry' } }) };
      const { job } = await stage.client.json('POST', `/api/v1/agents/${agentId}/runs`, { input: 'Do it.' });
      return { jobId: job.id, ...until(await upstream.next('embed')) };
    },
    'a document, within a batch': ingest(() => undefined, 1),
    'a document, between and within later batches': ingest((request) => setTimeout(() => request.embed(), 15), 2),
    'an address is fetched': async () => {
      const visited = page.visited();
      const { job } = await stage.client.json('POST', '/api/v1/documents', { url: `${page.url}${Math.random()}` });
      const { left } = await visited;
      return { jobId: job.id, stopped: left, tokens: () => 0 };
    },
    'a model is pulled': async () => {
      upstream.plan = { pull: (request) => request.line({ status: 'pulling manifest' }) };
      const { job } = await stage.client.json('POST', '/api/v1/models', { name: 'tiny:1b' });
      return { jobId: job.id, ...until(await upstream.next('pull')) };
    },
  };
}

/** Four answers hold both places of each process; what is asked for then must never reach a model. */
async function queued(state, { stage, upstream, rounds, random }) {
  upstream.plan = { chat: talk };
  const [held, running] = [[], []];
  for (const client of [stage.client, stage.client, stage.other, stage.other]) {
    held.push(await stage.ask(QUESTION, { model: RECORDED_CHAT }, {}, client));
    running.push(await upstream.next('chat'));
  }
  const jobs = [];
  for (let round = 0; round < rounds; round += 1) {
    const { jobId } = await stage.ask(QUESTION, { model: RECORDED_CHAT });
    jobs.push(jobId);
    await sleep(random() * WINDOW);
    const askedAt = await stage.cancel(jobId);
    state.add(performance.now() - askedAt, 0);
  }
  for (const { jobId } of held) await stage.cancel(jobId);
  await Promise.all(running.map(({ closed }) => closed));
  await sleep(500);
  const { rows } = await stage.database.query(
    "SELECT count(*)::int AS begun FROM job_events WHERE job_id = ANY($1) AND event NOT IN ('accepted', 'queued', 'cancelled')",
    [jobs],
  );
  if (rows[0].begun > 0) state.fault(`${rows[0].begun} events of work`);
  const more = upstream.requests.length - held.length;
  if (more > 0) state.fault(`${more} reached the model`);
}

/** What clients of `/v1` ask for, and where it is held. */
const CLIENTS = {
  'chat, streamed, before the first token': ['chat', {}, '/v1/chat/completions', { stream: true }],
  'chat, streamed, while tokens come': ['chat', { chat: talk }, '/v1/chat/completions', { stream: true }],
  'chat, whole, before the first token': ['chat', {}, '/v1/chat/completions', {}],
  'chat, whole, while tokens come': ['chat', { chat: talk }, '/v1/chat/completions', {}],
  'completion, streamed, while tokens come': ['generate', { generate: talk }, '/v1/completions', { stream: true }],
  'completion, whole, before the first token': ['generate', {}, '/v1/completions', {}],
  embeddings: ['embed', {}, '/v1/embeddings', {}],
};

async function leave({ stage, upstream, random }, [path, plan, address, more]) {
  upstream.plan = plan;
  const gone = new AbortController();
  const input = {
    chat: { messages: [{ role: 'user', content: QUESTION }] },
    generate: { prompt: QUESTION, max_tokens: 1_000 },
    embed: { input: ['a', 'b'] },
  };
  const body = { model: path === 'embed' ? RECORDED_EMBEDDING : RECORDED_CHAT, ...input[path], ...more };
  const headers = { authorization: `Bearer ${stage.client.token}`, 'content-type': 'application/json' };
  const asked = fetch(stage.works.url + address, { method: 'POST', headers, body: JSON.stringify(body), signal: gone.signal })
    .then((response) => response.text())
    .catch(() => undefined);
  const request = await inTime(upstream.next(path), 'the request upstream');
  await sleep(random() * WINDOW);
  const leftAt = performance.now();
  const before = request.tokens;
  gone.abort();
  await inTime(request.closed, 'the end upstream');
  await asked;
  return [request.closedAt - leftAt, request.tokens - before];
}

async function cancelled(state, begin, { stage, random }, round) {
  const { jobId, stopped, tokens } = await inTime(begin(round), 'the state');
  await sleep(random() * WINDOW);
  const before = tokens();
  const askedAt = await stage.cancel(jobId);
  const at = await inTime(typeof stopped === 'function' ? stopped() : stopped, 'the end upstream');
  state.add(Math.max(0, (at ?? askedAt) - askedAt), tokens() - before);
}

/** A stage with an upstream, a page, a document and an agent that searches. */
async function scene(nodeFlags, work) {
  const upstream = await RecordingOllama.start();
  const page = await EndlessPage.open();
  const environment = { OLLAMA_URL: upstream.url, CHAT_MODEL: RECORDED_CHAT, EMBEDDING_MODEL: RECORDED_EMBEDDING };
  const stage = await Stage.open(environment, nodeFlags);
  try {
    upstream.plan = { embed };
    const { job } = await stage.client.upload('ferry.md', 'The night ferry leaves at 22:40 from pier 7.');
    for await (const { event } of stage.client.events(job.id)) if (event === 'error') throw new Error('The first document was not read.');
    // What a process does once, before its first embedding, is no part of any round.
    await stage.other.json('POST', '/v1/embeddings', { model: RECORDED_EMBEDDING, input: ['Ready?'] });
    const agent = { name: 'searcher', model: RECORDED_CHAT, tools: ['search_collection'], collections: ['default'] };
    const { id: agentId } = await stage.client.json('POST', '/api/v1/agents', agent);
    await work({ stage, upstream, page, agentId });
    await sleep(MOST_MS);
    const broken = await stage.broken();
    return [`recording upstream: ${broken.length} jobs wrote after their cancel or still run`, broken.length];
  } finally {
    await stage.close();
    page.close();
    await upstream.close();
  }
}

/** So many rounds of one state. */
async function play(state, upstream, rounds, round) {
  upstream.reset();
  for (let n = 0; n < rounds; n += 1) {
    await round(state, n).catch((error) => state.fault(error));
    upstream.reset();
  }
}

export function recorded({ rounds, random, wanted, tell }) {
  return scene([], async (set) => {
    const { upstream } = set;
    const each = async (name, round) => {
      if (!wanted(name)) return;
      const state = new State(name);
      await play(state, upstream, rounds, round);
      tell(state);
    };
    if (wanted('queued')) {
      const state = new State('queued');
      upstream.reset();
      await queued(state, { ...set, rounds, random }).catch((error) => state.fault(error));
      tell(state);
    }
    for (const [name, begin] of Object.entries(jobStates(set)))
      await each(name, (state, n) => cancelled(state, begin, { ...set, random }, n));
    for (const [name, call] of Object.entries(CLIENTS))
      await each(`/v1 ${name}`, async (state) => state.add(...(await leave({ ...set, random }, call))));
  });
}

/** Jobs of processes that hear no word of the database. */
export function deaf({ rounds, random, wanted, tell }) {
  return scene(['--require', join(repository, 'test', 'bench', 'cancel', 'deaf.cjs')], async (set) => {
    for (const [name, begin] of Object.entries(jobStates(set))) {
      if (!wanted(name)) continue;
      const state = new State(`no word comes: ${name}`, MOST_MS);
      await play(state, set.upstream, rounds, (_, n) => cancelled(state, begin, { ...set, random }, n));
      tell(state);
    }
  });
}
