import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CHAT, describeModels } from '../support/models';

const ROOT = resolve(__dirname, '..', '..');
const LIMIT = 1_000;

interface Product {
  url: string;
  start(): Promise<number>;
  kill(): Promise<unknown>;
  remove(): void;
}
type ProductClass = new (options: { environment: Record<string, string> }) => Product;
interface Tokens {
  used: number;
  reserved: number;
  left: number;
}

/** The built product as a process of its own, killed while a call holds tokens of a key. */
describeModels('a token budget and kill -9', () => {
  let server: Product;
  beforeAll(async () => {
    if (!existsSync(join(ROOT, 'dist', 'apps', 'api', 'src', 'main.js'))) throw new Error('The product is not built: npm run build.');
    const path = join(ROOT, 'test', 'support', 'server.mjs');
    const { ServerProcess } = (await import(path)) as { ServerProcess: ProductClass };
    server = new ServerProcess({ environment: { RATE_LIMIT_PER_MINUTE: '10000' } });
    await server.start();
  });
  afterAll(async () => {
    await server.kill();
    server.remove();
  });

  it('gives what the dead process held back when its lease has run out, and not before', async () => {
    const ask = async (path: string, token?: string, body?: object): Promise<Response> =>
      fetch(server.url + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
        body: body && JSON.stringify(body),
      });
    const read = async (answer: Promise<Response>): Promise<Record<string, unknown>> =>
      (await (await answer).json()) as Record<string, unknown>;
    const account = { email: 'first@example.org', password: 'correct horse battery staple' };
    const token = String((await read(ask('/api/v1/auth/register', undefined, account))).access_token);
    const made = await read(ask('/api/v1/auth/keys', token, { name: 'small', scopes: ['chat'], limits: { tokens_per_day: LIMIT } }));
    const secret = String(made.secret);
    const today = async (): Promise<Tokens> => {
      const { key } = (await read(ask('/api/v1/auth/me', secret))) as unknown as { key: { tokens_today: Tokens } };
      return key.tokens_today;
    };
    const complete = (max_tokens: number, stream: boolean): Promise<Response> => {
      const messages = [{ role: 'user', content: 'Tell me a long story about the sea and its ships.' }];
      return ask('/v1/chat/completions', secret, { model: CHAT, max_tokens, stream, messages });
    };

    const reader = ((await complete(900, true)).body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const { reserved } = await today();
    expect(reserved).toBeGreaterThan(900);
    await server.kill();
    const killed = performance.now();
    await reader.closed.catch(() => undefined);
    await server.start();
    expect(await today()).toEqual({ used: 0, reserved, left: LIMIT - reserved });
    const refused = await complete(200, false);
    expect([refused.status, await refused.json()]).toEqual([429, { error: expect.objectContaining({ code: 'insufficient_quota' }) }]);
    let state = await today();
    while (state.reserved > 0 && performance.now() - killed < 90_000) {
      await new Promise((done) => setTimeout(done, 200));
      state = await today();
    }
    expect(state).toEqual({ used: 0, reserved: 0, left: LIMIT });
    const answered = await complete(4, false);
    expect(answered.status).toBe(200);
    await answered.json();
    const after = await today();
    expect(after.reserved).toBe(0);
    expect(after.used).toBeGreaterThan(0);
  }, 180_000);
});
