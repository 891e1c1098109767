// A small client of the native API: the demo, the evaluation, the fault suite and the benchmarks speak through it.

/** An answer of the API that is not a success. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(`${status} ${problem?.code ?? ''}: ${problem?.detail ?? JSON.stringify(problem)}`);
    this.status = status;
    this.problem = problem;
  }
}

/** Speaks to one server as one principal. */
export class Client {
  constructor(url, token) {
    this.url = url;
    this.token = token;
  }

  /** One request with a deadline; throws ApiError for anything but 2xx. */
  async request(method, path, { body, headers = {}, signal } = {}) {
    const json = body !== undefined && !(body instanceof FormData);
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
        ...(json ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      body: json ? JSON.stringify(body) : body,
      signal: signal ?? AbortSignal.timeout(120_000),
    });
    if (response.ok) return response;
    throw new ApiError(response.status, await response.json().catch(() => undefined));
  }

  async json(method, path, body) {
    const response = await this.request(method, path, { body });
    return response.status === 204 ? undefined : response.json();
  }

  /** The first account of an empty instance (or any, where registration is open). */
  async register(email, password, setupToken) {
    const answer = await this.json('POST', '/api/v1/auth/register', {
      email,
      password,
      ...(setupToken === undefined ? {} : { setup_token: setupToken }),
    });
    this.token = answer.access_token;
    return answer;
  }

  async login(email, password) {
    const answer = await this.json('POST', '/api/v1/auth/login', { email, password });
    this.token = answer.access_token;
    return answer;
  }

  /** Uploads a file; answers { document, job? }. */
  upload(name, content, fields = {}) {
    const form = new FormData();
    for (const [key, value] of Object.entries(fields)) form.append(key, value);
    form.append('file', new Blob([content]), name);
    return this.json('POST', '/api/v1/documents', form);
  }

  /** Events of a job from `after` on, as { id, event, data }; reconnects by itself when the connection is cut, until the terminal event. */
  async *events(jobId, { after = 0, signal, reconnectMilliseconds = 100, patienceMilliseconds = 60_000 } = {}) {
    let last = after;
    let failingSince;
    for (;;) {
      try {
        const response = await this.request('GET', `/api/v1/jobs/${jobId}/events`, {
          headers: { accept: 'text/event-stream', ...(last > 0 ? { 'last-event-id': String(last) } : {}) },
          signal: signal ?? AbortSignal.timeout(600_000),
        });
        if (response.status === 204) return;
        for await (const event of parseEvents(response.body)) {
          failingSince = undefined;
          last = event.id;
          yield event;
          if (['done', 'error', 'cancelled'].includes(event.event)) return;
        }
      } catch (error) {
        if (signal?.aborted || error instanceof ApiError) throw error;
        failingSince ??= performance.now();
        if (performance.now() - failingSince > patienceMilliseconds) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, reconnectMilliseconds));
    }
  }

  /** Follows a job to its end; answers its last event. */
  async finish(jobId, onEvent = () => undefined, options) {
    let last;
    for await (const event of this.events(jobId, options)) {
      onEvent(event);
      last = event;
    }
    return last;
  }
}

/** Server-sent events of a body stream. */
export async function* parseEvents(body) {
  const decoder = new TextDecoder();
  let buffer = '';
  for await (const bytes of body) {
    buffer += decoder.decode(bytes, { stream: true });
    let end;
    while ((end = buffer.indexOf('\n\n')) >= 0) {
      const event = parseEvent(buffer.slice(0, end));
      buffer = buffer.slice(end + 2);
      if (event !== undefined) yield event;
    }
  }
}

function parseEvent(block) {
  const event = { id: 0, event: 'message', data: undefined };
  for (const line of block.split('\n')) {
    if (line.startsWith('id:')) event.id = Number(line.slice(3));
    else if (line.startsWith('event:')) event.event = line.slice(6).trim();
    else if (line.startsWith('data:')) event.data = JSON.parse(line.slice(5));
  }
  return event.data === undefined ? undefined : event;
}
