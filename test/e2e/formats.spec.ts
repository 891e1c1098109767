import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApi, type Registered, type TestApi } from '../support/api';
import { DocumentsOf } from '../support/documents';
import { parseEvents } from '../support/events';
import { describeModels } from '../support/models';

const FIXTURES = join(__dirname, '..', 'fixtures', 'formats');
const fixture = (name: string): Buffer => readFileSync(join(FIXTURES, name));

interface Cited {
  document_id: string;
  page: number | null;
  start: number;
  end: number;
  quote: string;
}

describeModels('Document formats over HTTP', () => {
  let api: TestApi;
  let me: Registered;
  let mine: DocumentsOf;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000' } });
    me = await api.register();
    mine = new DocumentsOf(api, me);
  });
  afterAll(() => api.close());

  const slice = async (id: string, query = ''): Promise<string> =>
    String((await api.get(`/api/v1/documents/${id}/text${query}`, me.accessToken)).json.text);

  it('reads a PDF with its pages and cites the page', async () => {
    const golden = fixture('ferry-timetable.golden.txt').toString('utf8');
    const document = await mine.ready(await mine.upload(fixture('ferry-timetable.pdf'), 'ferry-timetable.pdf'));
    expect(document).toMatchObject({ media_type: 'application/pdf', pages: 3, language: 'en' });
    expect(await slice(document.id)).toBe(golden);
    const session = await api.post('/api/v1/chat/sessions', { collections: ['default'] }, me.accessToken);
    const response = await api.fetch(`/api/v1/chat/sessions/${String(session.json.id)}/messages`, {
      method: 'POST',
      token: me.accessToken,
      body: { content: 'How many passengers does the smaller boat Teista carry?' },
      headers: { accept: 'text/event-stream' },
    });
    const events = await parseEvents(response);
    const final = events.filter(({ event }) => event === 'citations').at(-1)?.data as unknown as { citations: Cited[] };
    expect(final.citations.length).toBeGreaterThan(0);
    for (const { document_id: id, page, start, end, quote } of final.citations) {
      expect(id).toBe(document.id);
      expect(golden.slice(start, end)).toBe(quote);
      expect(await slice(id, `?start=${start}&end=${end}`)).toBe(quote);
      expect(page).toBe(start < golden.indexOf('Winter service') ? 1 : start < golden.indexOf('Prices') ? 2 : 3);
    }
    expect(final.citations.map(({ page }) => page)).toContain(2);
  });
});
