import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describeDatabases, newDatabase } from '../support/databases';
import { describeModels } from '../support/models';

const ROOT = resolve(__dirname, '..', '..');
const KILLER = join(ROOT, 'test', 'faults', 'kill-before-answer.cjs');
const DOCUMENTS = '/api/v1/documents';

interface Product {
  url: string;
  ended: Promise<{ signal: string }>;
  start(): Promise<number>;
  kill(): Promise<unknown>;
}
type ProductClass = new (options: { environment: Record<string, string>; directory: string; nodeFlags: string[] }) => Product;

/** The built product as a process of its own: it commits what was asked, and is killed before it can say so. */
describeModels('Idempotency-Key and kill -9 between commit and answer', () => {
  describeDatabases('on', (kind) => {
    let server: Product;
    let place: { url?: string; directory: string; drop(): Promise<void> };
    let token: string;
    beforeAll(async () => {
      if (!existsSync(join(ROOT, 'dist', 'apps', 'api', 'src', 'main.js'))) throw new Error('The product is not built: npm run build.');
      place = await newDatabase(kind);
      const { ServerProcess } = (await import(join(ROOT, 'test', 'support', 'server.mjs'))) as { ServerProcess: ProductClass };
      const environment = { RATE_LIMIT_PER_MINUTE: '100000', ...(place.url === undefined ? {} : { DATABASE_URL: place.url }) };
      server = new ServerProcess({ environment, directory: place.directory, nodeFlags: ['--require', KILLER] });
      await server.start();
      const made = await ask('/api/v1/auth/register', { email: 'first@example.org', password: 'correct horse battery staple' });
      token = String(((await made.json()) as { access_token: string }).access_token);
    }, 120_000);
    afterAll(async () => {
      await server.kill();
      await place.drop();
    });

    function ask(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
      return fetch(server.url + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined || body instanceof FormData ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined || body instanceof FormData ? body : JSON.stringify(body),
      });
    }
    async function count(path: string): Promise<number> {
      return ((await (await ask(`${path}?limit=100`, undefined)).json()) as { data: unknown[] }).data.length;
    }
    /** Asks and is told nothing; answers once the process is there again. */
    async function askInVain(path: string, body: unknown, headers: Record<string, string>): Promise<void> {
      await expect(ask(path, body, { ...headers, 'x-test-kill': 'now' })).rejects.toThrow();
      expect((await server.ended).signal).toBe('SIGKILL');
      await server.start();
    }
    const form = (): FormData => {
      const made = new FormData();
      made.append('file', new Blob(['What a killed server has taken in.']), 'kept.txt');
      return made;
    };

    it.each([
      ['a session', '/api/v1/chat/sessions', () => ({ title: 'Kept' }), 201],
      ['a document', DOCUMENTS, form, 202],
      ['a collection', '/api/v1/vectors/collections', () => ({ name: 'kept', dimensions: 3 }), 201],
      ['an agent', '/api/v1/agents', () => ({ name: 'kept', instructions: 'x' }), 201],
      ['a key', '/api/v1/auth/keys', () => ({ name: 'kept', scopes: ['chat'] }), 409],
    ] as const)(
      'gives the answer about %s that the dead process could not give',
      async (_, path, body, status) => {
        const before = await count(path);
        const headers = { 'idempotency-key': `kill ${path}` };
        await askInVain(path, body(), headers);
        const first = await ask(path, body(), headers);
        const text = await first.text();
        expect([first.status, text, first.headers.get('idempotent-replayed')]).toEqual([status, text, status === 409 ? null : 'true']);
        const second = await ask(path, body(), headers);
        expect([second.status, status === 409 ? '' : await second.text()]).toEqual([status, status === 409 ? '' : text]);
        expect(await count(path)).toBe(before + 1);
      },
      120_000,
    );

    it('streams, and waits for, the answer whose acceptance the dead process could not tell', async () => {
      const session = (await (await ask('/api/v1/chat/sessions', {})).json()) as { id: string };
      const path = `/api/v1/chat/sessions/${session.id}/messages`;
      const question = { content: 'What is a quay?', options: { max_tokens: 8 } };
      const events = { accept: 'text/event-stream', 'idempotency-key': 'kill stream' };
      await askInVain(path, question, events);
      const stream = await ask(path, question, events);
      expect([stream.status, stream.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
      const text = await stream.text();
      expect([text.indexOf('id: 1\nevent: accepted') > 0, text.includes('event: done')]).toEqual([true, true]);
      const wait = { 'idempotency-key': 'kill wait' };
      await askInVain(`${path}?wait=50`, question, wait);
      const waited = await ask(`${path}?wait=50`, question, wait);
      expect([waited.status, waited.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
      expect(await count(path)).toBe(4);
      expect(await count('/api/v1/jobs')).toBe(3);
    }, 120_000);
  });
});
