import { existsSync } from 'node:fs';
import { startOwnOllama } from '../support/ollama';

const required = process.env.REQUIRE_SERVICES === '1' || process.env.TEST_OLLAMA_URL !== undefined;
const title = 'the Ollama of the tests';

(required ? describe : describe.skip)(required ? title : `${title}: neither TEST_OLLAMA_URL nor REQUIRE_SERVICES is set`, () => {
  it('has the built-in models, also after kill -9, and leaves nothing behind', async () => {
    const server = await startOwnOllama();
    const names = async (): Promise<string[]> => {
      const answer = await fetch(`${server.url}/api/tags`);
      return ((await answer.json()) as { models: { name: string }[] }).models.map(({ name }) => name).sort();
    };
    const expected = ['all-minilm:l6-v2', 'smollm2:135m-instruct-q4_1'];
    try {
      expect(await names()).toEqual(expected);
      const before = server.pid;
      await server.kill();
      await expect(names()).rejects.toThrow('fetch failed');
      await server.restart();
      expect(server.pid).not.toBe(before);
      expect(await names()).toEqual(expected);
    } finally {
      await server.stop();
    }
    expect(existsSync(server.directory)).toBe(false);
  });
});
