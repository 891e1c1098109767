import { setTimeout as delay } from 'node:timers/promises';
import { Follower } from '../streams/follower.mjs';

/** Each so manyeth request is a question; of those, each second one waits for its answer, and each is followed by its events. */
const QUESTIONS = 100;
const WAIT_SECONDS = 30;

/** Requests at `perSecond` through the gateway, none of them repeated; every answer that is no success counts as failed. */
export class Load {
  requests = 0;
  failures = [];
  jobs = [];
  followers = [];
  #open = new Set();
  #over = false;

  constructor({ gateway, token, perSecond, random }) {
    Object.assign(this, { gateway, token, perSecond, random });
  }

  start() {
    this.running = this.#run();
  }

  /** Resolves when the last request is answered and the last stream is at its end. */
  async stop() {
    this.#over = true;
    await this.running;
    await Promise.all(this.#open);
  }

  async #run() {
    const began = performance.now();
    for (let sent = 0; !this.#over; await delay(5)) {
      const due = Math.floor(((performance.now() - began) / 1_000) * this.perSecond);
      for (; sent < due; sent += 1) this.#keep(sent % QUESTIONS === 0 ? this.#question(sent) : this.#look(sent));
    }
  }

  #keep(work) {
    const kept = work.catch((error) => this.failures.push(String(error.cause ?? error))).finally(() => this.#open.delete(kept));
    this.#open.add(kept);
  }

  #look(n) {
    const job = this.jobs.at(-1);
    if (n % 4 === 0) return this.#send('POST', '/api/v1/chat/sessions', {});
    if (n % 4 === 1 && job !== undefined) return this.#send('GET', `/api/v1/jobs/${job}`);
    return this.#send('GET', n % 4 === 2 ? '/api/v1/jobs?limit=5' : '/api/v1/chat/sessions?limit=5');
  }

  async #question(n) {
    const session = await this.#send('POST', '/api/v1/chat/sessions', {});
    const path = `/api/v1/chat/sessions/${session.id}/messages${n % (2 * QUESTIONS) === 0 ? '' : `?wait=${WAIT_SECONDS}`}`;
    const { job } = await this.#send('POST', path, { content: `Please write ${100 + Math.floor(this.random() * 300)} lines.` });
    this.jobs.push(job.id);
    const follower = new Follower({ jobId: job.id, token: this.token, place: () => this.gateway.place() });
    this.followers.push(follower);
    await follower.follow();
  }

  async #send(method, path, body) {
    this.requests += 1;
    const { status, json } = await this.gateway.request({
      method,
      path,
      headers: { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
    });
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(json)}`);
    return json;
  }
}
