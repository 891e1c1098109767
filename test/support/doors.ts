import { setTimeout as delay } from 'node:timers/promises';
import type { TestApi } from './api';
import { ChatBench } from './chat';

/** An answer that ends by itself only much later. */
export interface OpenDoor {
  name: string;
  /** Resolves with the headers of the answer, or when it has failed. */
  answered: Promise<void>;
  /** All of its text; nothing of an answer that was cut. */
  text: Promise<string>;
  /** Whether its connection ends, however it ends, within so many milliseconds. */
  endsWithin(milliseconds: number): Promise<boolean>;
}

const BOUNDARY = 'part';
const PART = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nbegun`;
const QUESTION = [{ role: 'user', content: 'Will it end?' }];

/** Opens answers of every kind that lasts, with one token or key: events, completions streamed and whole, a question waited for, an upload. */
export class Doors {
  constructor(
    private readonly api: TestApi,
    private readonly token: string,
    private readonly model: string,
  ) {}

  events(jobId: string): OpenDoor {
    return this.open('events', `/api/v1/jobs/${jobId}/events`);
  }

  stream(): OpenDoor {
    return this.open('stream', '/v1/chat/completions', { model: this.model, stream: true, messages: QUESTION });
  }

  completion(): OpenDoor {
    return this.open('completion', '/v1/chat/completions', { model: this.model, messages: QUESTION });
  }

  async wait(): Promise<OpenDoor> {
    const chat = await ChatBench.begin(this.api, this.token, { model: this.model });
    return this.open('wait', `${chat.path}/messages?wait=50`, { content: 'Will it end?' });
  }

  /** A file of which no more comes. */
  upload(): OpenDoor {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new TextEncoder().encode(PART)) });
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
    return door('upload', fetch(`${this.api.url}/api/v1/documents`, { method: 'POST', headers, body, duplex: 'half' } as RequestInit));
  }

  private open(name: string, path: string, body?: unknown): OpenDoor {
    return door(name, this.api.fetch(path, { method: body === undefined ? 'GET' : 'POST', body, token: this.token }));
  }
}

function door(name: string, response: Promise<Response>): OpenDoor {
  const read = response.then((answer) => answer.text());
  const nothing = (): void => undefined;
  return {
    name,
    answered: response.then(nothing, nothing),
    text: read.catch(() => ''),
    endsWithin: async (milliseconds) => {
      const timeout = new AbortController();
      const late = delay(milliseconds, false, { signal: timeout.signal }).catch(() => true);
      const ended = read.then(
        () => true,
        () => true,
      );
      return Promise.race([ended, late]).finally(() => timeout.abort());
    },
  };
}
