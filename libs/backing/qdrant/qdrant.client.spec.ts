import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseConfig } from '@kernel/config';
import { QdrantClient } from './qdrant.client';
import { translated } from './qdrant.error';

describe('QdrantClient', () => {
  let server: Server;
  let client: QdrantClient;
  let version = '1.18.3';
  beforeEach(async () => {
    server = createServer(({ url = '' }, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(url === '/' ? { title: 'qdrant', version } : { result: { exists: false }, status: 'ok', time: 0 }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    client = new QdrantClient(parseConfig({ QDRANT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
  });
  afterEach(() => {
    client.onApplicationShutdown();
    server.closeAllConnections();
    server.close();
  });

  it('takes a server that is new enough', async () => {
    version = '1.18.3';
    await expect(client.ping()).resolves.toBeUndefined();
    expect(() => client.assertReachable()).not.toThrow();
  });

  it('says in one sentence that a server is too old, to who checks and to who calls', async () => {
    version = '1.9.2';
    const words = { code: 'unavailable', retryable: false, message: 'QDRANT_URL names a Qdrant 1.9.2: 1.10 or newer is needed.' };
    await expect(client.ping()).rejects.toMatchObject(words);
    await expect(client.call(async () => 1)).rejects.toMatchObject({ code: 'unavailable', message: words.message });
  });

  it('is not reachable where no setting names it', () => {
    const unset = new QdrantClient(parseConfig({}));
    expect(unset.configured).toBe(false);
    expect(() => unset.assertReachable()).toThrow('QDRANT_URL is not set.');
  });
});

it.each([
  [undefined, 'unavailable', true],
  [429, 'unavailable', true],
  [500, 'unavailable', true],
  [401, 'unavailable', false],
  [403, 'unavailable', false],
  [404, 'not_found', false],
  [400, 'internal', false],
])('an answer with status %s is %s', (status, code, retryable) => {
  expect(translated(Object.assign(new Error('x'), { status }))).toMatchObject({ code, retryable });
});
