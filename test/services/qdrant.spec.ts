import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { QdrantClient, QdrantStore } from '@backing/qdrant';
import { parseConfig } from '@kernel/config';
import { describeService, type TestServer } from '../support/services';
import { storeFaults } from '../support/store-suite';

/** Every point that Qdrant has under a name, asked of its interface. */
async function everything({ url, credentials }: TestServer, name: string): Promise<Map<string, number[]>> {
  const answer = await fetch(`${url}/collections/${name}/points/scroll`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'api-key': credentials?.QDRANT_API_KEY ?? '' },
    body: JSON.stringify({ limit: 10_000, with_vector: true }),
  });
  const { result } = (await answer.json()) as { result: { points: { id: string; vector: number[] }[] } };
  return new Map(result.points.map(({ id, vector }) => [id, vector]));
}

storeFaults({
  name: 'qdrant',
  file: 'qdrant',
  starter: 'startQdrant',
  settings: (server) => (url) => ({ QDRANT_URL: url, ...server.credentials }),
  stored: (server) => (physicalName) => everything(server, physicalName),
});

describeService('qdrant', 'Qdrant', (url) => {
  const clients: QdrantClient[] = [];
  afterAll(() => clients.forEach((client) => client.onApplicationShutdown()));
  const clientOf = (address: string, key = process.env.TEST_QDRANT_API_KEY ?? ''): QdrantClient => {
    const client = new QdrantClient(parseConfig({ QDRANT_URL: address, QDRANT_API_KEY: key }));
    clients.push(client);
    return client;
  };

  it('is not what another server is', async () => {
    const other = createServer((_, response) => response.end('{"hello":"world"}'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const client = clientOf(`http://127.0.0.1:${(other.address() as AddressInfo).port}`);
    await expect(client.ping()).rejects.toMatchObject({ code: 'unavailable', message: 'QDRANT_URL does not name a Qdrant server.' });
    other.closeAllConnections();
    other.close();
  });

  it('says which setting has the wrong key', async () => {
    await expect(clientOf(url, 'not-the-key').ping()).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: 'Qdrant refuses the key of QDRANT_API_KEY (HTTP 401).',
    });
  });

  it('keeps the shape that a collection has', async () => {
    const store = new QdrantStore(clientOf(url));
    const physicalName = `space_${Date.now()}`;
    const space = { id: 's', store: 'qdrant', model: null, dimensions: 3, metric: 'dot', version: 1, physicalName } as const;
    await store.ensureSpace(space);
    await store.ensureSpace(space);
    const words = { code: 'unavailable', retryable: false, message: expect.stringContaining('is QDRANT_URL the right server?') };
    await expect(store.ensureSpace({ ...space, dimensions: 4 })).rejects.toMatchObject(words);
    await expect(store.ensureSpace({ ...space, metric: 'cosine' })).rejects.toMatchObject(words);
  });

  it('takes more points than one request may have', async () => {
    const store = new QdrantStore(clientOf(url));
    const physicalName = `space_${Date.now()}`;
    const space = { id: 's', store: 'qdrant', model: null, dimensions: 2, metric: 'l2', version: 1, physicalName } as const;
    await store.ensureSpace(space);
    const collectionId = randomUUID();
    const points = Array.from({ length: 6_000 }, (_, n) => ({ physicalId: randomUUID(), collectionId, vector: Float32Array.of(n, 1) }));
    await store.upsert(space, points);
    expect(await store.count(space, collectionId)).toBe(6_000);
    expect(await store.search(space, [collectionId], Float32Array.of(5, 1), 1)).toEqual([{ physicalId: points[5]?.physicalId, score: -0 }]);
    await store.delete(
      space,
      points.map((point) => point.physicalId),
    );
    expect(await store.count(space, collectionId)).toBe(0);
  });
});
