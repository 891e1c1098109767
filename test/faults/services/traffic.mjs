// Mixed traffic at a fixed rate, whatever the answers do, and what came of each request.
import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';

const DEADLINE_MS = 20_000;
const DIMENSIONS = 64;

/** Requests in turn at `perSecond`; a record of each: what it was, when, how it ended, how long it took. */
export class Traffic {
  records = [];
  /** Points by collection whose write was acknowledged, with their vectors. */
  acknowledged = new Map();
  /** Jobs that were accepted. */
  jobs = [];

  constructor({ url, token, stores, lineageOf, perSecond }) {
    Object.assign(this, { token, stores, lineageOf, perSecond });
    this.pool = new Pool(url, { connections: 128, headersTimeout: DEADLINE_MS, bodyTimeout: DEADLINE_MS });
    this.kinds = this.plan();
  }

  /** Each kind of request, and the services beside PostgreSQL without which it cannot be answered. */
  plan() {
    const kinds = [
      { kind: 'me', needs: [], run: () => this.send('GET', '/api/v1/auth/me') },
      { kind: 'sessions', needs: [], run: () => this.send('GET', '/api/v1/chat/sessions?limit=5') },
      { kind: 'models', needs: [], run: () => this.send('GET', '/api/v1/models') },
      { kind: 'accept job', needs: [], run: () => this.acceptJob() },
    ];
    for (const store of this.stores) {
      const needs = store === 'pgvector' ? [] : [store];
      kinds.push({ kind: `write ${store}`, needs, run: () => this.write(store) });
      kinds.push({ kind: `search ${store}`, needs, run: () => this.search(store) });
      kinds.push({ kind: `read ${store}`, needs: [], run: () => this.read(store) });
    }
    if (this.lineageOf !== undefined)
      kinds.push({ kind: 'lineage', needs: ['neo4j'], run: () => this.send('GET', `/api/v1/documents/${this.lineageOf}/lineage`) });
    return kinds;
  }

  start() {
    const began = performance.now();
    let sent = 0;
    this.open = new Set();
    this.timer = setInterval(() => {
      const due = Math.floor(((performance.now() - began) / 1_000) * this.perSecond);
      for (; sent < due; sent += 1) this.fire(this.kinds[sent % this.kinds.length]);
    }, 5);
  }

  /** Sends nothing more; resolves when everything under way has ended. */
  async stop() {
    clearInterval(this.timer);
    await Promise.allSettled(this.open);
    await this.pool.close();
  }

  /** What happened since `from` until `to`, by the monotonic clock. */
  between(from, to) {
    return this.records.filter(({ at }) => at >= from && at < to);
  }

  fire({ kind, needs, run }) {
    const at = performance.now();
    const doing = run()
      .then(
        ({ status, retryAfter }) => ({ status, retryAfter }),
        (error) => ({ status: 0, error: error.message }),
      )
      .then((outcome) => {
        this.records.push({ kind, needs, at, milliseconds: performance.now() - at, ...outcome });
        this.open.delete(doing);
      });
    this.open.add(doing);
  }

  async send(method, path, body, headers = {}) {
    const answer = await this.pool.request({
      method,
      path,
      headers: { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, retryAfter: answer.headers['retry-after'], text };
  }

  async write(store) {
    const point = { id: randomUUID(), vector: randomVector(), metadata: { n: this.records.length } };
    const answer = await this.send('PUT', `/api/v1/vectors/collections/faults-${store}/points`, { points: [point] });
    if (answer.status === 200) this.writtenTo(store).push(point);
    return answer;
  }

  search(store) {
    return this.send('POST', `/api/v1/vectors/collections/faults-${store}/search`, { vector: randomVector(), limit: 5 });
  }

  read(store) {
    const point = this.writtenTo(store).at(-1);
    if (point === undefined) return this.send('GET', `/api/v1/vectors/collections/faults-${store}`);
    return this.send('GET', `/api/v1/vectors/collections/faults-${store}/points/${point.id}`);
  }

  async acceptJob() {
    const points = [{ id: randomUUID(), text: 'The ferry leaves at half past eight.' }];
    const answer = await this.send('PUT', '/api/v1/vectors/collections/faults-texts/points', { points }, { prefer: 'respond-async' });
    if (answer.status === 202) this.jobs.push(JSON.parse(answer.text).job?.id ?? JSON.parse(answer.text).id);
    return answer;
  }

  writtenTo(store) {
    if (!this.acknowledged.has(store)) this.acknowledged.set(store, []);
    return this.acknowledged.get(store);
  }
}

export { DIMENSIONS };

function randomVector() {
  return Array.from({ length: DIMENSIONS }, () => Math.random() * 2 - 1);
}
