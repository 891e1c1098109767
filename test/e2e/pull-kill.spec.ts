import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { OllamaDouble } from '../support/ollama-double';

const ROOT = resolve(__dirname, '..', '..');
const part = (completed: number): object => ({ status: 'pulling', digest: `sha256:${'a'.repeat(64)}`, total: 900, completed });

interface Product {
  url: string;
  start(): Promise<number>;
  kill(): Promise<unknown>;
  remove(): void;
}
type ProductClass = new (options: { environment: Record<string, string> }) => Product;

/** The built product as a process of its own, killed in the middle of a pull. */
describe('a pull and kill -9', () => {
  let double: OllamaDouble;
  let server: Product;
  beforeAll(async () => {
    if (!existsSync(join(ROOT, 'dist', 'apps', 'api', 'src', 'main.js'))) throw new Error('The product is not built: npm run build.');
    double = await OllamaDouble.start();
    const path = join(ROOT, 'test', 'support', 'server.mjs');
    const { ServerProcess } = (await import(path)) as { ServerProcess: ProductClass };
    server = new ServerProcess({ environment: { OLLAMA_URL: double.url, MODEL_ALLOW: 'tiny:*' } });
    await server.start();
  });
  afterAll(async () => {
    await server.kill();
    server.remove();
    await double.close();
  });

  it('goes on by itself after the start, with progress and one result', async () => {
    const ask = async (path: string, token?: string, body?: object): Promise<Record<string, unknown>> => {
      const headers = { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
      const answer = await fetch(server.url + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers,
        body: body && JSON.stringify(body),
      });
      return (await answer.json()) as Record<string, unknown>;
    };
    const account = { email: 'first@example.org', password: 'correct horse battery staple' };
    const token = String((await ask('/api/v1/auth/register', undefined, account)).access_token);
    double.lines('pull', [part(300)], 'stall');
    const { job } = (await ask('/api/v1/models', token, { name: 'tiny:1b' })) as unknown as { job: { id: string } };
    const state = (): Promise<Record<string, unknown>> => ask(`/api/v1/jobs/${job.id}`, token);
    while ((await state()).progress === undefined || (await state()).progress === null) await new Promise((done) => setTimeout(done, 10));
    expect(await state()).toMatchObject({ status: 'running', progress: { done: 300, total: 900, unit: 'bytes' } });
    await server.kill();
    double.lines('pull', [part(300), part(900), { status: 'success' }]);
    await server.start();
    let now = await state();
    while (now.status !== 'succeeded' && now.status !== 'failed') {
      await new Promise((done) => setTimeout(done, 20));
      now = await state();
    }
    expect(now).toMatchObject({ status: 'succeeded', attempt: 2, progress: { done: 900, total: 900 }, result: { model: 'tiny:1b' } });
    expect(double.to('pull')).toHaveLength(2);
  });
});
