import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseConfig } from '@kernel/config';
import { ChromaClient } from './chroma.client';
import { translated } from './chroma.error';

describe('ChromaClient', () => {
  let server: Server;
  let client: ChromaClient;
  let version = '1.0.0';
  beforeEach(async () => {
    server = createServer(({ url = '' }, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(url.endsWith('/version') ? JSON.stringify(version) : '{"nanosecond heartbeat":1}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    client = new ChromaClient(parseConfig({ CHROMA_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
  });
  afterEach(() => {
    client.onApplicationShutdown();
    server.closeAllConnections();
    server.close();
  });

  it('takes a server that is new enough', async () => {
    version = '1.0.0';
    await expect(client.ping()).resolves.toBeUndefined();
    expect(() => client.assertReachable()).not.toThrow();
  });

  it('says in one sentence that a server is too old, to who checks and to who calls', async () => {
    version = '0.6.3';
    const words = { code: 'unavailable', retryable: false, message: 'CHROMA_URL names a Chroma 0.6.3: 1.0 or newer is needed.' };
    await expect(client.ping()).rejects.toMatchObject(words);
    await expect(client.call(async () => 1)).rejects.toMatchObject({ code: 'unavailable', message: words.message });
  });

  it('is not reachable where no setting names it', () => {
    const unset = new ChromaClient(parseConfig({}));
    expect(unset.configured).toBe(false);
    expect(() => unset.assertReachable()).toThrow('CHROMA_URL is not set.');
  });
});

it.each([
  ['ChromaConnectionError', 'unavailable', true],
  ['ChromaServerError', 'unavailable', true],
  ['ChromaAuthError', 'unavailable', false],
  ['ChromaNotFoundError', 'not_found', false],
  ['ChromaClientError', 'internal', false],
  ['TypeError', 'unavailable', false],
])('%s of the driver is %s', (name, code, retryable) => {
  expect(translated(Object.assign(new Error('x'), { name }))).toMatchObject({ code, retryable });
});
