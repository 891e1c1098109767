import type { Models } from '@features/models';
import type { VectorStore } from '@kernel/vectors';
import type { Collection } from '../collection';
import type { PointLedger } from '../points/point-ledger.repository';
import { PointSearch } from './point-search.service';
import type { PointTexts } from './point-texts.repository';

describe('A search by words', () => {
  it('is done again when what it found was replaced before it was read', async () => {
    const versions = ['old', 'new'];
    const ranked = jest.fn(async () => [{ id: versions.shift(), score: 1, rank: 1 }]);
    const texts = { languages: async () => ['en'], ranked } as unknown as PointTexts;
    const select = async (_collections: string[], { ids }: { ids: string[] }) => ids.filter((id) => id === 'new').map((id) => ({ id }));
    const search = new PointSearch({ select } as unknown as PointLedger, texts, {} as VectorStore, {} as Models);
    const collection = { id: 'c', name: 'c', space: null, language: 'en' } as unknown as Collection;
    const question = { text: 'harbour', mode: 'text', limit: 5 } as unknown as Parameters<PointSearch['search']>[1];
    const account = { workspaceId: 'w', userId: 'u', apiKeyId: null, jobId: null };
    const { found } = await search.search(collection, question, account, new AbortController().signal);
    expect([found.map(({ point }) => point.id), ranked.mock.calls.length]).toEqual([['new'], 2]);
  });
});
