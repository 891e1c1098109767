import type { ConsulClient, Instances } from './consul.client';
import { ConsulServers } from './consul.servers';

/** Answers each question when the test says so. */
class ScriptedClient {
  readonly asked: (string | undefined)[] = [];
  private answers: ((answer: Instances | Error) => void)[] = [];
  private waiting?: () => void;

  instances(_service: string, index: string | undefined, signal: AbortSignal): Promise<Instances> {
    this.asked.push(index);
    return new Promise((resolve, reject) => {
      this.answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      signal.addEventListener('abort', () => reject(new Error('closed')), { once: true });
      this.waiting?.();
    });
  }

  async answer(given: Instances | Error): Promise<void> {
    if (this.answers.length === 0) await new Promise<void>((resolve) => (this.waiting = resolve));
    this.answers.shift()?.(given);
    await new Promise(setImmediate);
  }
}

describe('ConsulServers', () => {
  let client: ScriptedClient;
  let servers: ConsulServers;
  beforeEach(() => {
    client = new ScriptedClient();
    servers = new ConsulServers(client as unknown as ConsulClient, 'ollama');
  });
  afterEach(() => servers.onApplicationShutdown());

  it('asks nothing until somebody does, and one question at a time for all of them', async () => {
    expect(client.asked).toEqual([]);
    const both = Promise.all([servers.current(), servers.current()]);
    await client.answer({ urls: ['http://a:1'], index: '7' });
    expect(await both).toEqual([['http://a:1'], ['http://a:1']]);
    expect(client.asked).toEqual([undefined, '7']);
  });

  it('keeps what it knew through an outage, then asks from the beginning', async () => {
    const first = servers.current();
    await client.answer({ urls: ['http://a:1'], index: '7' });
    await first;
    await client.answer(new Error('away'));
    expect(await servers.current()).toEqual(['http://a:1']);
    await client.answer({ urls: [], index: '3' });
    expect(await servers.current()).toEqual([]);
    expect(client.asked).toEqual([undefined, '7', undefined, '3']);
  });

  it.each(['0', '3'])('an index that fell to %s is not waited upon', async (index) => {
    const first = servers.current();
    await client.answer({ urls: [], index: '7' });
    await first;
    await client.answer({ urls: [], index });
    await client.answer({ urls: ['http://a:1'], index: '8' });
    expect(client.asked.slice(0, 3)).toEqual([undefined, '7', undefined]);
  });
});
