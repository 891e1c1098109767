import fc from 'fast-check';
import { type Registered, startApi, type TestApi } from '../../support/api';

const LISTS = ['/api/v1/agents', '/api/v1/chat/sessions', '/api/v1/auth/keys', '/api/v1/workspaces'] as const;
const ROWS = 6;

interface Asked {
  cursor: string;
  side: 'after' | 'before';
  order: 'asc' | 'desc';
  limit: number;
}

/** What a page holds by the words of the contract, over all ids in ascending order. */
function expected(ids: string[], { cursor, side, order, limit }: Asked): string[] {
  const listed = order === 'asc' ? ids : ids.toReversed();
  const beyond = listed.filter((id) => ((side === 'after') === (order === 'asc') ? id > cursor.toLowerCase() : id < cursor.toLowerCase()));
  return side === 'after' ? beyond.slice(0, limit) : beyond.slice(-limit);
}

describe('E04, J02 cursors', () => {
  let api: TestApi;
  let mine: Registered;
  const own: Record<string, string[]> = {};
  let foreign: string[];

  const idsOf = async (list: string, token: string): Promise<string[]> => {
    const { json } = await api.get(`${list}?limit=100&order=asc`, token);
    return (json.data as unknown as { id: string }[]).map(({ id }) => id);
  };
  const fill = async ({ accessToken }: Registered, name: string): Promise<void> => {
    for (let row = 0; row < ROWS; row += 1) {
      await api.post('/api/v1/agents', { name: `${name}-${row}` }, accessToken);
      await api.post('/api/v1/chat/sessions', { title: name }, accessToken);
      await api.key(accessToken, ['jobs:read']);
      await api.post('/api/v1/workspaces', { name: `${name} ${row}` }, accessToken);
    }
  };

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '1000000' } });
    mine = await api.register('mine@example.org');
    const theirs = await api.register('theirs@example.org');
    await fill(mine, 'mine');
    await fill(theirs, 'theirs');
    for (const list of LISTS) own[list] = await idsOf(list, mine.accessToken);
    foreign = (await Promise.all(LISTS.map((list) => idsOf(list, theirs.accessToken)))).flat();
  });
  afterAll(() => api.close());

  it.each(LISTS)(
    'E04, J02 over %s are compared as values: one of somebody else, or of nobody, shows just the own rows beyond it',
    async (list) => {
      const ids = own[list] ?? [];
      expect(ids.length).toBeGreaterThanOrEqual(ROWS);
      const asked = fc.record({
        cursor: fc.oneof(fc.constantFrom(...ids, ...ids.map((id) => id.toUpperCase())), fc.constantFrom(...foreign), fc.uuid()),
        side: fc.constantFrom('after' as const, 'before' as const),
        order: fc.constantFrom('asc' as const, 'desc' as const),
        limit: fc.integer({ min: 1, max: 9 }),
      });
      await fc.assert(
        fc.asyncProperty(asked, async (page) => {
          const query = `limit=${page.limit}&order=${page.order}&${page.side}=${page.cursor}`;
          const { status, json } = await api.get(`${list}?${query}`, mine.accessToken);
          const found = (json.data as unknown as { id: string }[]).map(({ id }) => id);
          expect([status, found]).toEqual([200, expected(ids, page)]);
        }),
        { numRuns: 60 },
      );
    },
  );

  it.each(LISTS)('J02 garbage over %s is refused, and never an error of the database', async (list) => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.constantFrom("' OR 1=1 --", '0', '%00')), async (text) => {
        const { status, json } = await api.get(`${list}?after=${encodeURIComponent(text.toWellFormed())}`, mine.accessToken);
        expect([text, status, json.code]).toEqual([text, ...(text.includes('\0') ? [422, 'unprocessable'] : [400, 'invalid'])]);
      }),
      { numRuns: 60 },
    );
  });

  it.each(['', '%20', '%09'])('J02 an empty number ("%s") is not taken for 0', async (empty) => {
    const [session] = own['/api/v1/chat/sessions'] ?? [];
    const { status, json } = await api.post(
      `/api/v1/chat/sessions/${session}/messages?wait=${empty}`,
      { content: 'Hello' },
      mine.accessToken,
    );
    expect([status, json.code, json.errors]).toEqual([400, 'invalid', [expect.objectContaining({ path: 'wait' })]]);
  });
});
