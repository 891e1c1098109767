import type { Models } from '@features/models';
import type { VectorStores } from '@kernel/vectors';
import type { Collection } from '../collection';
import type { PointLedger } from '../points/point-ledger.repository';
import { PointSearch } from './point-search.service';
import type { PointTexts } from './point-texts.repository';
import type { PointVectors } from './point-vectors.repository';

describe('A search by words', () => {
  it('is done again when what it found was replaced before it was read', async () => {
    const versions = ['old', 'new'];
    const ranked = jest.fn(async () => [{ id: versions.shift(), score: 1, rank: 1 }]);
    const texts = { languages: async () => ['en'], ranked } as unknown as PointTexts;
    const select = async (_collections: string[], { ids }: { ids: string[] }) => ids.filter((id) => id === 'new').map((id) => ({ id }));
    const search = new PointSearch({ select } as unknown as PointLedger, texts, {} as PointVectors, {} as VectorStores, {} as Models);
    const collection = { id: 'c', name: 'c', space: null, language: 'en' } as unknown as Collection;
    const question = { text: 'harbour', mode: 'text', limit: 5 } as unknown as Parameters<PointSearch['search']>[1];
    const account = { workspaceId: 'w', userId: 'u', apiKeyId: null, jobId: null };
    const { found } = await search.search(collection, question, account, new AbortController().signal);
    expect([found.map(({ point }) => point.id), ranked.mock.calls.length]).toEqual([['new'], 2]);
  });
});

describe('A search by vector', () => {
  it('asks for more candidates while points that nobody may see crowd out others', async () => {
    const space = {
      id: 's',
      store: 'pgvector',
      model: null,
      dimensions: 2,
      metric: 'cosine',
      version: 1,
      physicalName: 'space_s',
    } as const;
    // A hundred candidates, the first eighty of which the ledger does not show.
    const all = Array.from({ length: 100 }, (_, index) => ({ physicalId: String(index), score: 1 - index / 1_000 }));
    const store = {
      capabilities: { exact: true, filters: true },
      assertReachable: () => undefined,
      search: async (...[, , , limit]: [unknown, unknown, unknown, number]) => all.slice(0, limit),
    };
    const stores = { of: () => store } as unknown as VectorStores;
    const select = async (_collections: string[], { physicalIds }: { physicalIds: string[] }) =>
      physicalIds.filter((id) => Number(id) >= 80).map((id) => ({ id, vector: Float32Array.of(1, Number(id) / 1_000) }));
    const search = new PointSearch({ select } as unknown as PointLedger, {} as PointTexts, {} as PointVectors, stores, {} as Models);
    const collection = { id: 'c', name: 'c', space, language: null } as unknown as Collection;
    const question = { vector: [1, 0], limit: 5 } as unknown as Parameters<PointSearch['search']>[1];
    const account = { workspaceId: 'w', userId: 'u', apiKeyId: null, jobId: null };
    const { found } = await search.search(collection, question, account, new AbortController().signal);
    expect(found.map(({ point }) => point.id)).toEqual(['80', '81', '82', '83', '84']);
  });
});
