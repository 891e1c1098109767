// The same against the real Ollama, behind a proxy that counts what it sends; whether it has really stopped is told by the processor time that it uses.
import { startOllama } from '../../../scripts/services.mjs';
import { inTime, sleep, State, STOP_MS } from './figures.mjs';
import { processorMs } from './processor.mjs';
import { RecordingProxy } from './recording-proxy.mjs';
import { Stage } from './stage.mjs';

const CHAT = 'spare:1';
const EMBEDDING = 'spare-embed:1';
const SOURCES = { [CHAT]: 'smollm2:135m-instruct-q4_1', [EMBEDDING]: 'all-minilm:l6-v2' };
const WINDOW = 100;
/** Of processor time, looked at once the work must have stopped. */
const LOOK_MS = 100;
/** Room for what a server that is at rest does. */
const REST_MS = 20;

const story = () => `Tell a long story about lighthouse ${Math.random()}.`;
/** Read for seconds also by an Ollama without vector instructions, which finishes the batch that it has begun whoever leaves. */
const long = () => `${Math.random()} ${'The keeper of the light wrote down wind and waves. '.repeat(6)} Tell the story.`;

async function unload(url) {
  await fetch(`${url}/api/generate`, { method: 'POST', body: JSON.stringify({ model: CHAT, keep_alive: 0 }) }).then((answer) =>
    answer.text(),
  );
}

/** Until the server has nothing to do, or a minute. */
async function rest(server) {
  for (let n = 0; n < 600; n += 1) {
    const before = processorMs(server.pid);
    await sleep(100);
    if (processorMs(server.pid) === before) return;
  }
}

const SAID = {
  'job, while the model loads': { content: story, cold: true, tokens: 0 },
  'job, while the prompt is read': { content: long, tokens: 0 },
  'job, while tokens come': { content: story, tokens: 3 },
  '/v1 chat, streamed, while tokens come': { content: story, tokens: 3, v1: { stream: true } },
  '/v1 chat, whole, while tokens come': { content: story, tokens: 3, v1: {} },
  '/v1 chat, whole, while the prompt is read': { content: long, tokens: 0, v1: {} },
  '/v1 embeddings': { texts: () => Array.from({ length: 64 }, () => long().slice(0, 200)), tokens: 0, v1: {} },
};

/** Begins the work; answers how it is stopped, and the moment at which that was asked for. */
async function begin(stage, { content, texts, v1 }) {
  if (v1 === undefined) {
    const { jobId } = await stage.ask(content(), { model: CHAT }, { options: { max_tokens: 1_000 } });
    return () => stage.cancel(jobId);
  }
  const gone = new AbortController();
  const body =
    texts === undefined
      ? { model: CHAT, max_tokens: 500, messages: [{ role: 'user', content: content() }], ...v1 }
      : { model: EMBEDDING, input: texts() };
  const address = texts === undefined ? '/v1/chat/completions' : '/v1/embeddings';
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

async function round(state, said, { stage, proxy, server, random }) {
  if (said.cold === true) await unload(server.url);
  proxy.reset();
  const stop = await begin(stage, said);
  return stopped(state, said, { stop, proxy, server, random }).catch(async (error) => {
    // What goes on would hold up the next round.
    await stop().catch(() => undefined);
    await rest(server);
    throw error;
  });
}

/** Waits for the state and stops the work; answers the processor time that the server still used. */
async function stopped(state, said, { stop, proxy, server, random }) {
  const request = await inTime(proxy.next(said.texts === undefined ? 'chat' : 'embed'), 'the request');
  for (let n = 0; request.tokens < said.tokens; n += 1) {
    if (n > 5_000 || request.closedAt !== undefined) throw new Error('the model said too little');
    await sleep(2);
  }
  await sleep(random() * WINDOW);
  if (request.closedAt !== undefined && said.texts === undefined) return 'over before';
  const before = request.tokens;
  const askedAt = await stop();
  const last = proxy.requests.at(-1);
  await inTime(last.closed, 'the end of the connection');
  state.add(Math.max(0, last.closedAt - askedAt), said.texts === undefined ? request.tokens - before : 0);
  await sleep(Math.max(0, askedAt + STOP_MS - performance.now()));
  const used = processorMs(server.pid);
  await sleep(LOOK_MS);
  const work = processorMs(server.pid) - used;
  await rest(server);
  return work;
}

export async function ollama({ rounds, random, wanted, tell }) {
  const server = await startOllama();
  const proxy = await RecordingProxy.start(server.url);
  for (const [destination, source] of Object.entries(SOURCES))
    await fetch(`${server.url}/api/copy`, { method: 'POST', body: JSON.stringify({ source, destination }) });
  const stage = await Stage.open({ OLLAMA_URL: proxy.url });
  const worked = [];
  try {
    const warm = { model: EMBEDDING, input: ['Ready?'] };
    await stage.client.json('POST', '/v1/embeddings', warm);
    for (const [name, said] of Object.entries(SAID)) {
      const title = `Ollama: ${name}`;
      if (!wanted(title)) continue;
      const state = new State(title, STOP_MS);
      const after = [];
      let over = 0;
      while (state.rounds < rounds && over < rounds) {
        const work = await round(state, said, { stage, proxy, server, random }).catch((error) => state.fault(error));
        if (work === 'over before') over += 1;
        else if (work !== undefined) after.push(work);
      }
      tell(state);
      const busy = after.filter((ms) => ms > REST_MS).length;
      worked.push(`${name}: ${busy} of ${after.length}`);
    }
    const broken = await stage.broken();
    const busy = `rounds in which Ollama still worked ${STOP_MS} ms later: ${worked.join('; ')}`;
    return [`Ollama: ${broken.length} jobs wrote after their cancel or still run; ${busy}`, broken.length];
  } finally {
    await stage.close();
    await proxy.close();
    await server.stop();
  }
}
