const KEPT = ['content-type', 'location', 'etag'];

/** Sends as one principal; `{ status: 0 }` where no answer came. `bytes` is all that must be the same in a repeat. */
export class Sender {
  token;

  async post(server, path, body, headers = {}) {
    const form = body instanceof FormData;
    try {
      const response = await fetch(server.url + path, {
        method: 'POST',
        headers: {
          ...(form ? {} : { 'content-type': 'application/json' }),
          ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
          ...headers,
        },
        body: form ? body : JSON.stringify(body),
        signal: AbortSignal.timeout(60_000),
      });
      const text = await response.text();
      const kept = KEPT.map((name) => response.headers.get(name)).join(' ');
      const { status } = response;
      return { status, text, bytes: `${status} ${kept} ${text}`, replayed: response.headers.has('idempotent-replayed') };
    } catch (error) {
      return { status: 0, text: String(error.cause ?? error), bytes: '', replayed: false };
    }
  }
}
