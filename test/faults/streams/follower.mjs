import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** After these the next one comes soon. */
const AT_WORK = new Set(['started', 'citations', 'delta']);
const TERMINAL = new Set(['done', 'error', 'cancelled']);
/** An address at which nobody answers is tried again after so long, at most for so long in all. */
const AGAIN_MS = 20;
const PATIENCE_MS = 60_000;

/**
 * A client that follows one job to its end over however many connections, as the contract says: each goes on after the last whole event of the one before.
 * It keeps every event as it came, and notes at once what is not the next one.
 */
export class Follower {
  events = [];
  /** Why each connection broke off that did not come to the terminal event: a kind of cut, or `server` where nobody of ours cut it. */
  breaks = [];
  /** Milliseconds from a break to the next new event, of a job that was at work. */
  resumes = [];
  /** Milliseconds from a break to the stream that goes on, of any job. */
  answers = [];
  /** What came in another order than 1, 2, 3 …: { wanted, got }. */
  faults = [];
  /** The last break that no new event has followed: { at, working, answered }. */
  #broken;

  /**
   * `place()`: the origin to go to next; `prepare(origin)`: what a connection gets: { origin, cut?(socket), done?(), broken?() }, for
   * cutting it and for telling how it was cut;
   * `byQuery`: whether it resumes by `?after=` instead of the header.
   */
  constructor({ jobId, token, place, prepare = (origin) => ({ origin }), byQuery = false }) {
    Object.assign(this, { jobId, token, place, prepare, byQuery });
  }

  get last() {
    return this.events.at(-1)?.id ?? 0;
  }

  get over() {
    return TERMINAL.has(this.events.at(-1)?.event);
  }

  /** Resolves when the terminal event is there. */
  async follow() {
    let failingSince;
    while (!this.over) {
      const before = this.events.length;
      const { status, broken = 'server' } = await this.#connect();
      if (status !== undefined && status !== 200) throw new Error(`Job ${this.jobId} after ${this.last} answered ${status}`);
      if (this.over) return;
      if (status === undefined) {
        // Nobody was there, which is no stream that broke.
        failingSince ??= performance.now();
        if (performance.now() - failingSince > PATIENCE_MS) throw new Error(`Job ${this.jobId}: nobody answered for a minute`);
        await delay(AGAIN_MS);
        continue;
      }
      failingSince = undefined;
      this.breaks.push(broken);
      if (this.events.length > before) this.#broken = { at: performance.now(), working: AT_WORK.has(this.events.at(-1).event) };
    }
  }

  /** The status of the answer, undefined when there was none, and how the connection was cut; resolves when it is gone. */
  async #connect() {
    const { origin, cut, done, broken } = await this.prepare(this.place());
    const path = `/api/v1/jobs/${this.jobId}/events${this.byQuery ? `?after=${this.last}` : ''}`;
    const headers = { authorization: `Bearer ${this.token}`, accept: 'text/event-stream' };
    if (!this.byQuery && this.last > 0) headers['last-event-id'] = String(this.last);
    try {
      const answered = await new Promise((resolve) => {
        let status;
        const asking = request(new URL(path, origin), { headers, agent: false }, (answer) => {
          status = answer.statusCode;
          this.#answered();
          let text = '';
          answer.setEncoding('utf8');
          answer.on('data', (piece) => {
            text = this.#take(text + piece);
          });
          answer.on('error', () => undefined);
          answer.on('close', () => resolve(status));
          cut?.(asking.socket);
        });
        asking.on('error', () => resolve(status));
        asking.end();
      });
      return { status: answered, broken: broken?.() };
    } finally {
      done?.();
    }
  }

  /** Keeps the whole events; answers what is left, of which nothing is known yet. */
  #take(text) {
    let end;
    while ((end = text.indexOf('\n\n')) >= 0) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      const [, id, event, data] = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/u.exec(block) ?? [];
      if (id === undefined) continue;
      if (Number(id) !== this.last + 1) this.faults.push({ wanted: this.last + 1, got: Number(id) });
      this.events.push({ id: Number(id), event, data: JSON.parse(data) });
      if (this.#broken?.working) this.resumes.push(performance.now() - this.#broken.at);
      this.#broken = undefined;
    }
    return text;
  }

  #answered() {
    if (this.#broken === undefined || this.#broken.answered) return;
    this.#broken.answered = true;
    this.answers.push(performance.now() - this.#broken.at);
  }
}
