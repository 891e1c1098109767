// The same with the built-in runtime: it counts as at work until llama.cpp has really returned from its step, and its usage tells every token.
import { inTime, sleep, State, STOP_MS } from './figures.mjs';
import { Stage } from './stage.mjs';

const CHAT = 'smollm2-135m-instruct';
const EMBEDDING = 'all-minilm-l6-v2';
const WINDOW = 150;
const QUIET_MS = 100;

const story = () => `Tell a long story about lighthouse ${Math.random()}.`;
const long = () => `${Math.random()} ${'The keeper of the light wrote down wind and waves. '.repeat(60)} Tell the story.`;

/** `waits`: behind another answer that holds the model. */
const SAID = {
  'job, while the prompt is read': { content: long },
  'job, while tokens come': { content: story, tokens: true },
  'job, in the queue of the model': { content: story, waits: true },
  'job, a document is embedded': { document: true },
  '/v1 chat, streamed, while tokens come': { content: story, tokens: true, v1: { stream: true } },
  '/v1 chat, whole, while the prompt is read': { content: long, v1: {} },
  '/v1 chat, whole, in the queue of the model': { content: story, waits: true, v1: {} },
  '/v1 embeddings': { texts: true, v1: {} },
};

/** Sends a request of `/v1`; answers how its client leaves. */
function request(stage, address, body) {
  const gone = new AbortController();
  const headers = { authorization: `Bearer ${stage.client.token}`, 'content-type': 'application/json' };
  void fetch(stage.works.url + address, { method: 'POST', headers, body: JSON.stringify(body), signal: gone.signal })
    .then((response) => response.text())
    .catch(() => undefined);
  return async () => {
    const leftAt = performance.now();
    gone.abort();
    return leftAt;
  };
}

function chatRequest(stage, content, more = {}) {
  return request(stage, '/v1/chat/completions', { model: CHAT, max_tokens: 1_000, messages: [{ role: 'user', content }], ...more });
}

async function begin(stage, { content, document, texts, v1 }) {
  if (texts) return request(stage, '/v1/embeddings', { model: EMBEDDING, input: Array.from({ length: 200 }, () => long().slice(0, 600)) });
  if (v1 !== undefined) return chatRequest(stage, content(), v1);
  const { jobId } = document
    ? await stage.client.upload(`${Math.random()}.md`, Array.from({ length: 20 }, long).join('\n\n')).then(({ job }) => ({ jobId: job.id }))
    : await stage.ask(content(), { model: CHAT }, { options: { max_tokens: 1_000 } });
  return () => stage.cancel(jobId);
}

async function activity(stage, models) {
  // Now and then the other process is faster to take a job.
  const clients = [stage.client, stage.other];
  const cards = await Promise.all(clients.flatMap((client) => models.map((id) => client.json('GET', `/api/v1/models/${id}`))));
  return cards.reduce((sum, { running, queued }) => ({ running: sum.running + running, queued: sum.queued + queued }), {
    running: 0,
    queued: 0,
  });
}

/** Asks until the models do as much, and answers the moment. */
async function reached(stage, condition, what, models = [CHAT]) {
  const look = async () => {
    for (;;) {
      if (condition(await activity(stage, models))) return performance.now();
      // Asking must not take the processor from what is measured.
      await sleep(20);
    }
  };
  return inTime(look(), what);
}

async function round(state, said, { stage, random }) {
  const release = said.waits ? chatRequest(stage, story(), { stream: true }) : undefined;
  if (release !== undefined) await reached(stage, ({ running }) => running === 1, 'the answer before it');
  const models = [said.document || said.texts ? EMBEDDING : CHAT];
  const stop = await begin(stage, said);
  await reached(stage, ({ running, queued }) => (said.waits ? queued === 1 : running > 0), 'the state', models);
  if (said.tokens) await sleep(200);
  await sleep(random() * WINDOW);
  const askedAt = await stop();
  const at = await reached(stage, ({ running, queued }) => (said.waits ? queued === 0 : running === 0), 'the end of the work', models);
  if (release !== undefined) {
    await release();
    await reached(stage, ({ running }) => running === 0, 'the end of the answer before it');
  }
  await sleep(50);
  const before = await stage.tokensUsed();
  await sleep(QUIET_MS);
  state.add(at - askedAt, (await stage.tokensUsed()) - before);
}

export async function builtIn({ rounds, random, wanted, tell }) {
  // The other process only asks: its models stay on the disk.
  const stage = await Stage.open({});
  try {
    await stage.client.json('POST', '/v1/chat/completions', { model: CHAT, max_tokens: 1, messages: [{ role: 'user', content: 'Hi' }] });
    await stage.client.json('POST', '/v1/embeddings', { model: EMBEDDING, input: ['Ready?'] });
    await sleep(2_000);
    await reached(stage, ({ running, queued }) => running + queued === 0, 'rest', [CHAT, EMBEDDING]);
    for (const [name, said] of Object.entries(SAID)) {
      const title = `built in: ${name}`;
      if (!wanted(title)) continue;
      const state = new State(title, STOP_MS);
      while (state.rounds < rounds) await round(state, said, { stage, random }).catch((error) => state.fault(error));
      tell(state);
    }
    const broken = await stage.broken();
    return [`built in: ${broken.length} jobs wrote after their cancel or still run`, broken.length];
  } finally {
    await stage.close();
  }
}
