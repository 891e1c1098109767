import { randomUUID } from 'node:crypto';
import type { TestApi } from './api';

export interface Answered {
  kind: string;
  status: number;
  retryAfter: string | null;
  /** By the monotonic clock. */
  at: number;
  milliseconds: number;
}

const COLLECTION = 'keyed';
const SENDERS = 4;

/** Requests that only read or are keyed, a few at a time and so many a second at most; knows which writes were acknowledged. */
export class KeyedTraffic {
  readonly answers: Answered[] = [];
  readonly acknowledged: string[] = [];
  private senders: Promise<void>[] = [];
  private sending = false;

  constructor(
    private readonly api: TestApi,
    private readonly token: string,
  ) {}

  async prepare(): Promise<void> {
    const made = await this.api.post('/api/v1/vectors/collections', { name: COLLECTION, dimensions: 4 }, this.token);
    if (made.status !== 201) throw new Error(`${made.status}: ${made.text}`);
    await this.write();
  }

  start(perSecond: number): void {
    this.sending = true;
    this.senders = Array.from({ length: SENDERS }, (_, sender) => this.send(sender, (SENDERS * 1_000) / perSecond));
  }

  async stop(): Promise<void> {
    this.sending = false;
    await Promise.all(this.senders);
  }

  since(moment: number): Answered[] {
    return this.answers.filter(({ at }) => at >= moment);
  }

  /** Acknowledged writes that cannot be read. */
  async lost(): Promise<string[]> {
    const missing: string[] = [];
    for (let at = 0; at < this.acknowledged.length; at += 500) {
      const ids = this.acknowledged.slice(at, at + 500);
      const { json } = await this.api.post(`/api/v1/vectors/collections/${COLLECTION}/points/get`, { ids }, this.token);
      const there = new Set((json.data as unknown as { id: string }[]).map(({ id }) => id));
      missing.push(...ids.filter((id) => !there.has(id)));
    }
    return missing;
  }

  private async send(first: number, everyMs: number): Promise<void> {
    const kinds = [() => this.read(), () => this.list(), () => this.write(), () => this.search(), () => this.live()];
    for (let sent = first; this.sending; sent += 1) {
      const turn = new Promise((resolve) => setTimeout(resolve, everyMs));
      await kinds[sent % kinds.length]?.();
      await turn;
    }
  }

  private async record(kind: string, path: string, method: string, body?: unknown): Promise<boolean> {
    const at = performance.now();
    const answer = await this.api.request(path, { method, token: this.token, body });
    const retryAfter = answer.headers.get('retry-after');
    this.answers.push({ kind, status: answer.status, retryAfter, at, milliseconds: performance.now() - at });
    return answer.status === 200;
  }

  private async read(): Promise<void> {
    await this.record('read', '/api/v1/auth/me', 'GET');
  }

  /** Nothing of the database is in its way: what the machine costs now. */
  private async live(): Promise<void> {
    await this.record('live', '/livez', 'GET');
  }

  private async list(): Promise<void> {
    await this.record('list', '/api/v1/chat/sessions?limit=5', 'GET');
  }

  private async search(): Promise<void> {
    await this.record('search', `/api/v1/vectors/collections/${COLLECTION}/search`, 'POST', { vector: [1, 0, 0, 0], limit: 3 });
  }

  private async write(): Promise<void> {
    const id = randomUUID();
    const points = [{ id, vector: [1, 2, 3, 4] }];
    if (await this.record('write', `/api/v1/vectors/collections/${COLLECTION}/points`, 'PUT', { points })) this.acknowledged.push(id);
  }
}

/** How many of each status, and the median and the 95th percentile of their time in ms. */
export function summary(answers: Answered[]): Record<string, { count: number; p50: number; p95: number }> {
  const byStatus = Map.groupBy(answers, ({ status }) => String(status));
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => {
      const times = group.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
      const at = (share: number): number => Math.round((times[Math.floor((times.length - 1) * share)] ?? 0) * 10) / 10;
      return [status, { count: group.length, p50: at(0.5), p95: at(0.95) }];
    }),
  );
}
