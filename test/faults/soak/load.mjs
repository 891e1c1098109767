import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';

const DEADLINE_MS = 15_000;
const AGAIN_MS = 100;
const PROBE_MS = 25;
const SUCCESS_MS = 60_000;
/** Each so manyeth submission is a question, the others are texts to be embedded. */
const QUESTIONS = 10;
const MOST_OPEN = 200;

/**
 * Submissions at `perSecond`, each repeated until it is answered with success. A text has an id of its own, so that it is one effect however often it was
 * sent; a question has a session of its own.
 */
export class Load {
  submitted = 0;
  /** Jobs whose acceptance was heard, by what was submitted: more than one where an answer was lost on the way. */
  jobs = new Map();
  /** Points by id, with their texts. */
  texts = new Map();
  /** Sessions with the number of questions whose acceptance was heard. */
  sessions = new Map();
  #succeeded = [];
  #enough = false;
  #back;

  constructor({ url, token, perSecond, jobs }) {
    Object.assign(this, { token, perSecond, most: jobs });
    this.pool = new Pool(url, { connections: 64, headersTimeout: DEADLINE_MS, bodyTimeout: DEADLINE_MS });
  }

  start() {
    this.running = this.#run();
  }

  /** Resolves when as many as wanted are submitted, and all of them accepted; until it is called they go on beyond that. */
  async accepted() {
    this.#enough = true;
    await this.running;
    await this.pool.close();
  }

  /** When the first request that was sent after `since` succeeded, by the monotonic clock; rejects after a minute. */
  success(since) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('No request succeeded for a minute.')), SUCCESS_MS);
      const heard = (now) => {
        clearTimeout(timer);
        resolve(now);
      };
      this.#succeeded.push({ since, resolve: heard });
    });
  }

  async #run() {
    const open = new Set();
    const began = performance.now();
    while (!this.#enough || this.submitted < this.most) {
      const due = Math.floor(((performance.now() - began) / 1_000) * this.perSecond);
      for (; this.submitted < due && open.size < MOST_OPEN; this.submitted += 1) {
        const one = (this.submitted % QUESTIONS === 0 ? this.#question() : this.#text()).finally(() => open.delete(one));
        open.add(one);
      }
      await delay(5);
    }
    await Promise.all(open);
  }

  async #text() {
    const id = randomUUID();
    const text = `The ferry ${id} leaves at half past eight.`;
    this.texts.set(id, text);
    const body = { points: [{ id, text }] };
    const { job } = await this.#untilHeard('PUT', '/api/v1/vectors/collections/soak/points', body, { prefer: 'respond-async' });
    this.jobs.set(id, job.id);
  }

  async #question() {
    const session = await this.#untilHeard('POST', '/api/v1/chat/sessions', {});
    const { job } = await this.#untilHeard('POST', `/api/v1/chat/sessions/${session.id}/messages`, { content: 'When does it open?' });
    this.jobs.set(session.id, job.id);
    this.sessions.set(session.id, job.id);
  }

  /** The body of the first success. A question whose answer was lost may be answered 409 then: it was accepted, and its job is named. */
  async #untilHeard(method, path, body, headers = {}) {
    for (;;) {
      const sent = performance.now();
      const answer = await this.#once(method, path, body, headers).catch(() => undefined);
      if (answer !== undefined && answer.status < 300) {
        this.#heard(sent);
        return answer.json;
      }
      if (answer?.status === 409 && answer.json.job_id !== undefined) return { job: { id: answer.json.job_id } };
      if (answer !== undefined && answer.status < 500 && answer.status !== 409)
        throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.json)}`);
      await (answer === undefined ? this.#reachable() : delay(AGAIN_MS));
    }
  }

  /** Resolves when somebody listens: one asks for all, in place of two hundred that dial in vain. */
  #reachable() {
    this.#back ??= this.#probe().finally(() => (this.#back = undefined));
    return this.#back;
  }

  async #probe() {
    do await delay(PROBE_MS);
    while (
      !(await this.#once('GET', '/livez').then(
        () => true,
        () => false,
      ))
    );
  }

  async #once(method, path, body, headers) {
    const answer = await this.pool.request({
      method,
      path,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: answer.statusCode, json: await answer.body.json() };
  }

  #heard(sent) {
    const [now, waiting] = [performance.now(), this.#succeeded];
    this.#succeeded = waiting.filter(({ since }) => since > sent);
    for (const { since, resolve } of waiting) if (since <= sent) resolve(now);
  }
}
