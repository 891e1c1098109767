import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ChromaClient, ChromaStore } from '@backing/chroma';
import { parseConfig } from '@kernel/config';
import { describeService } from '../support/services';
import { storeFaults } from '../support/store-suite';

/** Every point that Chroma has under a name, asked of its interface. */
async function everything(url: string, name: string): Promise<Map<string, number[]>> {
  const place = `${url}/api/v2/tenants/default_tenant/databases/default_database/collections`;
  const { id } = (await (await fetch(`${place}/${name}`)).json()) as { id: string };
  const body = JSON.stringify({ include: ['embeddings'] });
  const answer = await fetch(`${place}/${id}/get`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { ids, embeddings } = (await answer.json()) as { ids: string[]; embeddings: number[][] };
  return new Map(ids.map((each, n) => [each, embeddings[n] ?? []]));
}

storeFaults({
  name: 'chroma',
  file: 'chroma',
  starter: 'startChroma',
  settings: () => (url) => ({ CHROMA_URL: url }),
  stored: (server) => (physicalName) => everything(server.url, physicalName),
});

describeService('chroma', 'Chroma', (url) => {
  const clients: ChromaClient[] = [];
  afterAll(() => clients.forEach((client) => client.onApplicationShutdown()));
  const clientOf = (address: string): ChromaClient => {
    const client = new ChromaClient(parseConfig({ CHROMA_URL: address }));
    clients.push(client);
    return client;
  };

  it('is not what another server is', async () => {
    const other = createServer((_, response) => response.end('{"hello":"world"}'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const client = clientOf(`http://127.0.0.1:${(other.address() as AddressInfo).port}`);
    await expect(client.ping()).rejects.toMatchObject({ code: 'unavailable', message: 'CHROMA_URL does not name a Chroma server.' });
    other.closeAllConnections();
    other.close();
  });

  it('keeps the shape that a collection has', async () => {
    const store = new ChromaStore(clientOf(url));
    const physicalName = `space_${Date.now()}`;
    const space = { id: 's', store: 'chroma', model: null, dimensions: 3, metric: 'dot', version: 1, physicalName } as const;
    await store.ensureSpace(space);
    await store.ensureSpace(space);
    const words = { code: 'unavailable', retryable: false, message: expect.stringContaining('is CHROMA_URL the right server?') };
    await expect(store.ensureSpace({ ...space, dimensions: 4 })).rejects.toMatchObject(words);
    await expect(store.ensureSpace({ ...space, metric: 'cosine' })).rejects.toMatchObject(words);
  });

  it('takes more points than one request may have', async () => {
    const store = new ChromaStore(clientOf(url));
    const physicalName = `space_${Date.now()}`;
    const space = { id: 's', store: 'chroma', model: null, dimensions: 2, metric: 'l2', version: 1, physicalName } as const;
    await store.ensureSpace(space);
    const points = Array.from({ length: 6_000 }, (_, n) => ({
      physicalId: randomUUID(),
      collectionId: 'c',
      vector: Float32Array.of(n, 1),
    }));
    await store.upsert(space, points);
    expect(await store.count(space, 'c')).toBe(6_000);
    expect(await store.search(space, ['c'], Float32Array.of(5, 1), 1)).toEqual([{ physicalId: points[5]?.physicalId, score: -0 }]);
    await store.delete(
      space,
      points.map((point) => point.physicalId),
    );
    expect(await store.count(space, 'c')).toBe(0);
  });
});
