// Speaks Ollama's protocol with models that talk for ever, and writes down what became of each request: how many tokens it was sent, and when its
// connection was closed. Nothing is answered before the test or bench lets it: that is how a state is held.
import { createServer } from 'node:http';

export const RECORDED_CHAT = 'recorder:1b';
export const RECORDED_EMBEDDING = 'recorder-embed:1b';
const DIMENSIONS = 8;
const MODELS = {
  [RECORDED_CHAT]: {
    template: '{{ .Prompt }}',
    capabilities: ['completion', 'tools'],
    model_info: { 'general.architecture': 'llama', 'llama.context_length': 4_096 },
  },
  [RECORDED_EMBEDDING]: {
    capabilities: ['embedding'],
    model_info: { 'general.architecture': 'bert', 'bert.context_length': 512, 'bert.embedding_length': DIMENSIONS, 'bert.pooling_type': 1 },
  },
};

/** One request for work (`chat`, `generate`, `embed`, `pull`), from its arrival to the end of its connection. */
export class RecordedRequest {
  tokens = 0;
  /** `performance.now()` of the moment at which the connection was closed or the answer was complete. */
  closedAt = undefined;
  /** The answer was complete. */
  finished = false;

  constructor(path, body, response) {
    this.path = path;
    this.body = body;
    this.response = response;
    this.arrivedAt = performance.now();
    this.closed = new Promise((resolve) => {
      response.once('close', () => {
        this.finished = response.writableFinished;
        this.closedAt = performance.now();
        resolve();
      });
    });
  }

  get open() {
    return this.closedAt === undefined;
  }

  /** One line of JSON; nothing once the connection is closed. */
  line(value, isToken = false) {
    if (!this.open) return;
    if (!this.response.headersSent) this.response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    this.response.write(`${JSON.stringify(value)}\n`);
    if (isToken) this.tokens += 1;
  }

  token(text = 'word ') {
    const said = this.path === 'generate' ? { response: text } : { message: { role: 'assistant', content: text } };
    this.line({ ...said, done: false }, true);
  }

  /** A token each so many milliseconds until the connection is closed. */
  talk(everyMs) {
    const timer = setInterval(() => this.token(), everyMs);
    void this.closed.then(() => clearInterval(timer));
    this.token();
  }

  /** Ends the answer of a chat, after the call of a tool when one is given. */
  end(tool) {
    if (tool !== undefined)
      this.line({ message: { role: 'assistant', content: '', tool_calls: [{ id: 'call_1', function: tool }] }, done: false }, true);
    this.line({
      message: { role: 'assistant', content: '' },
      done: true,
      done_reason: 'stop',
      prompt_eval_count: 4_000,
      eval_count: this.tokens,
    });
    this.response.end();
  }

  /** Vectors for the texts of an `embed`. */
  embed() {
    const texts = [this.body.input].flat();
    const embeddings = texts.map((text) => Array.from({ length: DIMENSIONS }, (_, at) => Math.sin(text.length + at + 1)));
    this.response.end(
      JSON.stringify({ embeddings, prompt_eval_count: texts.reduce((sum, text) => sum + text.length, 0), total_duration: 1e6 }),
    );
  }
}

export class RecordingOllama {
  requests = [];
  /** What is done with a request by its path; unset: it is held without a byte. */
  plan = {};
  waiting = [];

  static async start() {
    const recording = new RecordingOllama();
    recording.server = createServer((request, response) => void recording.serve(request, response));
    await new Promise((resolve) => recording.server.listen(0, '127.0.0.1', resolve));
    return recording;
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  /** The next request for this work that nobody has been given yet. */
  next(path) {
    const known = this.requests.find((request) => request.path === path && !request.given);
    if (known !== undefined) {
      known.given = true;
      return Promise.resolve(known);
    }
    return new Promise((resolve) => this.waiting.push({ path, resolve }));
  }

  /** Forgets what was and what was planned. */
  reset() {
    this.requests = [];
    this.waiting = [];
    this.plan = {};
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async serve(request, response) {
    let text = '';
    for await (const part of request) text += part;
    const body = text === '' ? {} : JSON.parse(text);
    const path = request.url.replace('/api/', '');
    const asked = {
      version: () => ({ version: '0.0.0' }),
      ps: () => ({ models: [] }),
      tags: () => ({ models: Object.keys(MODELS).map((name) => ({ name, size: 1_000, digest: 'd'.repeat(64) })) }),
      show: () => MODELS[body.model],
    }[path];
    if (asked !== undefined) {
      const said = asked();
      return void response.writeHead(said === undefined ? 404 : 200).end(JSON.stringify(said ?? { error: 'model not found' }));
    }
    // The weights are there at once: loading is a state of other tests.
    if (loads(path, body)) return void response.end('{"done":true,"done_reason":"load","embeddings":[]}');
    const recorded = new RecordedRequest(path, body, response);
    this.requests.push(recorded);
    const at = this.waiting.findIndex((waiter) => waiter.path === path);
    if (at >= 0) {
      recorded.given = true;
      this.waiting.splice(at, 1)[0].resolve(recorded);
    }
    this.plan[path]?.(recorded);
  }
}

function loads(path, { prompt, input }) {
  return (path === 'generate' && prompt === undefined) || (path === 'embed' && Array.isArray(input) && input.length === 0);
}
