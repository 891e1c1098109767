import { Pool } from 'undici';

const PROBE_MS = 1_000;
const DEADLINE_MS = 60_000;
/** Nothing was sent: another member may be asked. */
const NOT_SENT = new Set(['ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT']);

/** A gateway in front of several APIs: it keeps connections open, asks each every second whether it is ready, and sends nothing twice. */
export class Gateway {
  #turn = 0;

  constructor(apis) {
    this.members = apis.map((api) => ({
      api,
      ready: true,
      pool: new Pool(api.url, { connections: 32, headersTimeout: DEADLINE_MS, bodyTimeout: DEADLINE_MS }),
    }));
    this.timer = setInterval(() => this.members.forEach((member) => void this.#probe(member)), PROBE_MS);
  }

  /** The origin of a member that is ready, in turn. */
  place() {
    return this.#next().api.url;
  }

  /** Whether a member is asked again. */
  async untilReady(api) {
    const member = this.members.find((one) => one.api === api);
    while (!member.ready) await this.#probe(member);
  }

  /** { status, json }; a request that was sent and not answered rejects. */
  async request({ method, path, headers, body }) {
    for (let tries = 1; ; tries += 1) {
      const member = this.#next();
      try {
        const answer = await member.pool.request({ method, path, headers, body });
        const text = await answer.body.text();
        return { status: answer.statusCode, json: text === '' ? undefined : JSON.parse(text) };
      } catch (error) {
        if (!NOT_SENT.has(error.code) || tries >= this.members.length) throw error;
        member.ready = false;
      }
    }
  }

  async close() {
    clearInterval(this.timer);
    await Promise.all(this.members.map(({ pool }) => pool.destroy()));
  }

  #next() {
    for (let tries = 0; tries < this.members.length; tries += 1) {
      const member = this.members[this.#turn++ % this.members.length];
      if (member.ready) return member;
    }
    return this.members[this.#turn++ % this.members.length];
  }

  async #probe(member) {
    const answer = await fetch(`${member.api.url}/readyz`, { signal: AbortSignal.timeout(PROBE_MS) }).catch(() => undefined);
    await answer?.text();
    member.ready = answer?.ok ?? false;
  }
}
