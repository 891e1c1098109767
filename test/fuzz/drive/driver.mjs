// A fuzzer of our own beside schemathesis, many times faster: requests from the same OpenAPI document by fast-check, answers judged by ajv, and
// callers who must not get in.
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { Pool } from 'undici';
import { Arbitraries } from './arbitraries.mjs';
import { Callers } from './callers.mjs';
import { judge } from './judge.mjs';
import { OpenApi } from './openapi.mjs';
import { drafts, request } from './requests.mjs';

const CONNECTIONS = 16;
/** Requests of one operation in one batch. */
const BATCH = 20;
const PATIENCE_MS = 20_000;
/** How many failures of the connection in a row mean that there is no server any more. */
const GIVE_UP = 20;
/** Requests between two lines about how far it is. */
const STEP = 10_000;

export class Driver {
  counts = {};
  findings = [];
  #failures = 0;

  constructor(server, seed) {
    this.server = server;
    this.seed = seed;
    this.pool = new Pool(server.url, { connections: CONNECTIONS, pipelining: 1, headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS });
  }

  async begin() {
    this.api = new OpenApi(await (await fetch(`${this.server.url}/docs/openapi.json`)).json());
    this.readable = new Set(this.api.operations.filter(({ method }) => method === 'GET').map(({ path }) => path));
    const arbitraries = new Arbitraries(this.api);
    this.drafts = this.api.operations.map((operation) => drafts(operation, arbitraries));
    this.callers = new Callers(this.server.nursery);
    await this.callers.begin(this.seed);
  }

  /** Sends `wanted` requests, all operations in turn; answers { counts, findings }. */
  async run(wanted) {
    const source = this.#requests(wanted);
    const worker = async () => {
      for (const { operation, draft } of source) await this.#one(operation, draft);
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    await this.pool.destroy();
    return { counts: this.counts, findings: this.findings };
  }

  *#requests(wanted) {
    let made = 0;
    for (let round = 0; ; round += 1) {
      for (const [at, operation] of this.api.operations.entries()) {
        for (const draft of fc.sample(this.drafts[at], { numRuns: BATCH, seed: this.seed * 1_000_003 + round * 1_009 + at })) {
          if (made > 0 && made % STEP === 0) process.stdout.write(`drive: ${made} of ${wanted} requests\n`);
          if (made++ >= wanted || this.#failures > GIVE_UP || !this.server.alive) return;
          yield { operation, draft };
        }
      }
    }
  }

  async #one(operation, draft) {
    const nursery = this.server.nursery;
    const asked = request(operation, draft, { callers: this.callers, things: nursery.things, canary: nursery.canary });
    let answer;
    try {
      answer = await this.#send(asked);
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      this.#note(operation, asked, undefined, { check: 'network', message: `${error.code ?? error.message}` });
      await pause(50);
      return;
    }
    const key = `${operation.label} ${answer.status}`;
    this.counts[key] = (this.counts[key] ?? 0) + 1;
    for (const fault of judge(operation, asked, answer)) this.#note(operation, asked, answer, fault);
    if (operation.method === 'DELETE' && answer.status === 204 && this.readable.has(operation.path))
      await this.#afterDelete(operation, asked);
  }

  /** What was deleted cannot be read any more. */
  async #afterDelete(operation, asked) {
    const again = { method: 'GET', path: asked.path, caller: asked.caller, headers: { authorization: asked.headers.authorization } };
    const answer = await this.#send(again);
    if (answer.status < 400)
      this.#note(operation, again, answer, { check: 'use_after_free', message: `answered ${answer.status} after DELETE` });
  }

  async #send({ method, path, headers, body }) {
    const { statusCode, headers: given, body: stream } = await this.pool.request({ method, path, headers, body });
    const text = await stream.text();
    return { status: statusCode, type: String(given['content-type'] ?? '').split(';')[0], headers: given, text };
  }

  #note(operation, asked, answer, fault) {
    const body = asked.body === undefined ? '' : ` ${String(asked.body).slice(0, 1_500)}`;
    this.findings.push({
      ...fault,
      operation: operation.label,
      status: answer?.status,
      request: `${asked.method} ${asked.path} as ${asked.caller}${body}`,
      answer: answer?.text.slice(0, 600),
    });
  }
}
