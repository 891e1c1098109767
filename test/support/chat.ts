import type { ApiAnswer, TestApi } from './api';
import { parseEvents, type StreamedEvent } from './events';

export interface Message {
  id: string;
  parent_id: string | null;
  active: boolean;
  role: 'user' | 'assistant';
  content: string;
  reasoning: string | null;
  status: string;
  model: string | null;
  job_id: string | null;
  feedback: { rating: string; note: string | null } | null;
}

/** A conversation over HTTP. */
export class ChatBench {
  private constructor(
    private readonly api: TestApi,
    readonly token: string,
    readonly path: string,
  ) {}

  static async begin(api: TestApi, token: string, body: object = {}): Promise<ChatBench> {
    const { status, json, text } = await api.post('/api/v1/chat/sessions', body, token);
    if (status !== 201) throw new Error(`Beginning a conversation answered ${status}: ${text}`);
    return new ChatBench(api, token, `/api/v1/chat/sessions/${String(json.id)}`);
  }

  get id(): string {
    return this.path.split('/').at(-1) ?? '';
  }

  message(id: string, rest = ''): string {
    return `${this.path}/messages/${id}${rest}`;
  }

  /** Waits for the finished answer. */
  async ask(content: string, more: object = {}): Promise<{ question: Message; answer: Message }> {
    return answered(await this.api.post(`${this.path}/messages?wait=50`, { content, ...more }, this.token));
  }

  async regenerate(id: string, body?: object): Promise<{ question: Message; answer: Message }> {
    return answered(await this.api.post(this.message(id, '/regenerate?wait=50'), body, this.token));
  }

  async stream(content: string, more: object = {}): Promise<StreamedEvent[]> {
    const headers = { accept: 'text/event-stream' };
    return parseEvents(
      await this.api.fetch(`${this.path}/messages`, { method: 'POST', token: this.token, body: { content, ...more }, headers }),
    );
  }

  async list(): Promise<Message[]> {
    return (await this.api.get(`${this.path}/messages?limit=100`, this.token)).json.data as unknown as Message[];
  }

  /** What the active branch says. */
  async branch(): Promise<string[]> {
    return (await this.list()).filter(({ active }) => active).map(({ content }) => content);
  }

  async read(): Promise<Record<string, unknown>> {
    return (await this.api.get(this.path, this.token)).json;
  }
}

function answered({ status, json, text }: ApiAnswer): { question: Message; answer: Message } {
  if (status !== 200) throw new Error(`A question was answered with ${status}: ${text}`);
  const { message, answer } = json as unknown as { message: Message; answer: Message };
  return { question: message, answer };
}
