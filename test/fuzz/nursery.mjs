// Keeps things alive in the workspace that is fuzzed, so that most requests reach one: it lists what is there, makes what is missing and writes
// the ids to a file that the fuzzers read. It sees also what the fuzzers made themselves.
import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { Client } from '../../scripts/client.mjs';

const EMAIL = 'fuzz@example.org';
const PASSWORD = 'a long enough password';
/** An access token lives for 15 minutes. */
const LOGIN_MS = 8 * 60_000;
const PAUSE_MS = 300;
const LEAST = 6;
const MOST = 10;
const THROWAWAYS = 8;
const PEOPLE = 4;

export class Nursery {
  /** Stands in every text here: nobody else may ever see it. */
  canary = `canary-${randomUUID()}`;
  things = {};
  made = new Set();
  throwaway = [];
  serial = 0;
  #stopped = false;

  constructor(url, file) {
    this.client = new Client(url);
    this.file = file;
  }

  async begin() {
    this.login = await this.client.register(EMAIL, PASSWORD);
    this.me = await this.client.json('GET', '/api/v1/auth/me');
    this.loggedIn = performance.now();
    await this.round();
    this.turning = this.#turn();
    // Told by stop(); until then nobody waits for it.
    this.turning.catch(() => undefined);
  }

  async stop() {
    this.#stopped = true;
    await this.turning;
  }

  async #turn() {
    while (!this.#stopped) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      await this.round();
    }
  }

  /** One look at everything. What a fuzzer deletes in the meantime is simply not there: the next round makes it anew. */
  async round() {
    if (performance.now() - this.loggedIn > LOGIN_MS) {
      // Not by the password: a fuzzer may have used up the attempts of this address.
      this.login = await this.client.json('POST', '/api/v1/auth/refresh', { refresh_token: this.login.refresh_token });
      this.client.token = this.login.access_token;
      this.loggedIn = performance.now();
    }
    await this.#logins();
    this.things = {
      agents: await this.#kept('/api/v1/agents', () => this.#agent()),
      runs: await this.#runs(),
      keys: await this.#kept('/api/v1/auth/keys', () => this.#post('/api/v1/auth/keys', { name: this.canary, scopes: ['jobs:read'] })),
      sessions: await this.#sessions(),
      documents: await this.#kept('/api/v1/documents', () => this.#document()),
      jobs: await this.#kept('/api/v1/jobs', undefined),
      collections: await this.#collections(),
      users: await this.#users(),
      workspaces: await this.#workspaces(),
      models: ['scripted', 'scripted-embedding'].map((id) => ({ id })),
      services: ['postgres', 'ollama', 'workers'].map((id) => ({ id })),
    };
    const next = `${this.file}.next`;
    writeFileSync(
      next,
      JSON.stringify({
        owner: [this.me.user.id, this.me.workspace.id],
        token: this.client.token,
        throwaway: this.throwaway,
        things: this.things,
      }),
    );
    renameSync(next, this.file);
  }

  async #logins() {
    const answer = await this.#post('/api/v1/auth/login', { email: EMAIL, password: PASSWORD });
    if (answer !== undefined) this.throwaway = [...this.throwaway, answer.access_token].slice(-THROWAWAYS);
  }

  /** The youngest things of a list, at least LEAST of them. */
  async #kept(address, making) {
    const make = making === undefined ? undefined : async () => this.#remember(await making());
    const there = (await this.#list(`${address}?limit=${MOST}&order=desc`)) ?? [];
    for (let missing = make === undefined ? 0 : LEAST - there.length; missing > 0; missing -= 1) await make();
    const all = make === undefined || there.length >= LEAST ? there : ((await this.#list(`${address}?limit=${MOST}&order=desc`)) ?? []);
    return all.map(({ id, name }) => this.#thing(id ?? name));
  }

  #remember(answer) {
    if (answer !== undefined) this.made.add(answer.document?.id ?? answer.id ?? answer.name);
  }

  /** `mine`: made here. Nothing else is ever deleted, for whoever made it still looks for it. */
  #thing(id) {
    return this.made.has(id) ? { id, mine: true } : { id };
  }

  async #list(address) {
    return (await this.#gently(this.client.json('GET', address)))?.data;
  }

  #post(address, body) {
    return this.#gently(this.client.json('POST', address, body));
  }

  /** A refusal is the work of a fuzzer: it took away what this was about. */
  #gently(answer) {
    return answer.catch((error) => {
      if (error.status === undefined || error.status >= 500) throw error;
      return undefined;
    });
  }

  #agent() {
    this.serial += 1;
    return this.#post('/api/v1/agents', { name: `agent-${this.serial}`, instructions: this.canary, tools: ['calculate'] });
  }

  async #runs() {
    const agent = (await this.#list('/api/v1/agents?limit=1'))?.[0];
    if (agent === undefined) return [];
    const runs = (await this.#list(`/api/v1/agents/${agent.id}/runs?limit=${MOST}`)) ?? [];
    if (runs.length < LEAST) await this.#post(`/api/v1/agents/${agent.id}/runs`, { input: 'When does the office open?' });
    return runs.map(({ id }) => ({ id }));
  }

  async #document() {
    this.serial += 1;
    const text = `Number ${this.serial} (${this.canary}): the harbour office opens at six in the morning. It closes at four in the afternoon.`;
    return this.#gently(this.client.upload(`harbour-${this.serial}.txt`, text));
  }

  /** Everybody but the owner, who must not lose what the others stand on. */
  async #users() {
    const people = await this.#people('/api/v1/users');
    if (people.length < PEOPLE) await this.#join();
    return people;
  }

  async #people(address) {
    const people = (await this.#list(`${address}?limit=${MOST}&order=desc`)) ?? [];
    return people.map(({ id }) => ({ id, mine: true })).filter(({ id }) => id !== this.me.user.id);
  }

  async #join() {
    this.serial += 1;
    const invited = await this.#post('/api/v1/users', { email: `member-${this.serial}@example.org`, role: 'viewer' });
    if (invited !== undefined) await this.#post('/api/v1/auth/accept', { invite_token: invited.invite_token, password: PASSWORD });
  }

  /** The first is the one in which everything else is, and not made here. */
  async #workspaces() {
    const home = this.me.workspace.id;
    const workspaces = await this.#kept('/api/v1/workspaces', () => this.#post('/api/v1/workspaces', { name: this.canary }));
    const all = [{ id: home }, ...workspaces.filter(({ id }) => id !== home)];
    for (const workspace of all.slice(0, 4)) {
      const address = `/api/v1/workspaces/${workspace.id}`;
      const invite = () => this.#post(`${address}/members`, { email: `guest-${++this.serial}@example.org`, role: 'viewer' });
      workspace.things = {
        members: await this.#people(`${address}/members`),
        invitations: await this.#kept(`${address}/invitations`, invite),
      };
    }
    return all;
  }

  async #sessions() {
    const sessions = await this.#kept('/api/v1/chat/sessions', () => this.#post('/api/v1/chat/sessions', { title: this.canary }));
    for (const session of sessions) {
      const messages = (await this.#list(`/api/v1/chat/sessions/${session.id}/messages?limit=${MOST}`)) ?? [];
      if (messages.length < 2) await this.#post(`/api/v1/chat/sessions/${session.id}/messages?wait=5`, { content: 'When does it open?' });
      session.things = { messages: messages.map(({ id }) => ({ id })) };
    }
    return sessions;
  }

  async #collections() {
    const collections = await this.#kept('/api/v1/vectors/collections', () => this.#collection());
    for (const collection of collections) {
      const address = `/api/v1/vectors/collections/${encodeURIComponent(collection.id)}/points`;
      const points = (await this.#list(`${address}?limit=${MOST}`)) ?? [];
      if (points.length < LEAST) {
        const more = Array.from({ length: LEAST }, (_, at) => ({
          id: `p${at}`,
          vector: [1, at, 0, 0.5],
          metadata: { number: at, word: this.canary },
        }));
        await this.#gently(this.client.json('PUT', address, { points: more }));
      }
      collection.things = { points: points.map(({ id }) => ({ id })) };
    }
    return collections;
  }

  #collection() {
    this.serial += 1;
    return this.#post('/api/v1/vectors/collections', { name: `numbers-${this.serial}`, dimensions: 4, metric: 'cosine' });
  }
}
