import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PostgresClient, sql } from '@backing/postgres';
import { DocumentOriginals, DocumentSweep } from '@features/documents';
import { Models } from '@features/models';
import { Search, Collections } from '@features/vectors';
import { startApi, type ApiAnswer, type Registered, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { DocumentsOf, type DocumentBody } from '../support/documents';
import { describeModels } from '../support/models';

const DOCUMENTS = '/api/v1/documents';

describeModels('New contents and contents of addresses', () => {
  describeDatabases('behind the scenes', (kind) => {
    let api: TestApi;
    let me: Registered;
    let mine: DocumentsOf;
    let server: Server;
    let pages: Record<string, (response: ServerResponse) => void>;
    let asked: string[];

    beforeAll(async () => {
      server = createServer((request, response) => {
        asked.push(request.url ?? '');
        const page = pages[request.url ?? ''];
        if (page === undefined) response.writeHead(404).end();
        else page(response);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });
    afterAll(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    beforeEach(async () => {
      pages = {};
      asked = [];
      api = await startApi({ database: kind, env: { RATE_LIMIT_PER_MINUTE: '100000', EGRESS_ALLOW: '127.0.0.1/32' } });
      me = await api.register();
      mine = new DocumentsOf(api, me);
    });
    afterEach(async () => {
      jest.restoreAllMocks();
      await api.close();
    });

    const get = <T>(type: abstract new (...parameters: never[]) => T): T => api.app.get(type, { strict: false });
    const at = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
    const put = (id: string, body: object | FormData, headers: Record<string, string> = {}): Promise<ApiAnswer> =>
      api.request(`${DOCUMENTS}/${id}`, { method: 'PUT', token: me.accessToken, body, headers });
    const text = async (id: string): Promise<string> =>
      (await api.get(`${DOCUMENTS}/${id}/text`, me.accessToken)).json.text as unknown as string;
    const ended = async (jobId: string) => {
      await mine.events(jobId);
      return (await api.get(`/api/v1/jobs/${jobId}`, me.accessToken)).json as unknown as {
        status: string;
        error?: { code: string };
        result?: Record<string, unknown>;
      };
    };
    const found = async (query: string): Promise<string[]> => {
      const collections = await get(Collections).resolve(me.workspaceId, ['default']);
      const account = { workspaceId: me.workspaceId, userId: me.userId, apiKeyId: null, jobId: null };
      const passages = await get(Search).search({ collections, query, limit: 10, signal: AbortSignal.timeout(60_000), account });
      return passages.map((passage) => passage.text);
    };
    /** What is left of one whole document: its points and its two blobs. */
    const whole = async (id: string): Promise<void> => {
      const { chunks } = await mine.get(id);
      const left = await mine.settled((now) => now.points === chunks + 1 && now.blobs.length === 2);
      expect(left).toMatchObject({
        documents: 1,
        points: chunks + 1,
        vectors: chunks + 1,
        blobs: [expect.any(String), expect.any(String)],
      });
    };
    /** Stops every embedding until `go`. */
    const held = (): { reached: Promise<void>; go: () => void } => {
      const models = get(Models);
      const embed = models.embed.bind(models);
      let go = (): void => undefined;
      let arrive = (): void => undefined;
      const reached = new Promise<void>((resolve) => (arrive = resolve));
      const gate = new Promise<void>((resolve) => (go = resolve));
      jest.spyOn(models, 'embed').mockImplementation(async (request, account) => {
        if (request.input === 'document') {
          arrive();
          await Promise.race([gate, new Promise((resolve) => request.signal.addEventListener('abort', resolve))]);
        }
        return embed(request, account);
      });
      return { reached, go };
    };

    it('shows the old content until the new one is ready, and then nothing of the old one', async () => {
      const { id } = await mine.ready(await mine.upload('The lighthouse keeper counts ships.', 'keeper.txt', { metadata: '{"a":1}' }));
      const before = await mine.get(id);
      const gate = held();
      const answer = await put(id, { text: 'The baker weighs flour before dawn.', name: 'baker' });
      const { jobId } = mine.accepted(answer);
      await gate.reached;
      await get(DocumentSweep).document(id);
      expect(await mine.get(id)).toMatchObject({
        status: 'ingesting',
        name: 'keeper.txt',
        sha256: before.sha256,
        bytes: before.bytes,
        chunks: 1,
      });
      expect(await text(id)).toBe('The lighthouse keeper counts ships.');
      expect(await found('lighthouse keeper ships')).toEqual(['The lighthouse keeper counts ships.']);
      expect((await api.get(`${DOCUMENTS}/${id}/content`, me.accessToken)).text).toBe('The lighthouse keeper counts ships.');
      gate.go();
      expect(await ended(jobId)).toMatchObject({ status: 'succeeded', result: { document_id: id, chunks: 1 } });
      expect(await mine.get(id)).toMatchObject({ status: 'ready', error: null, name: 'baker', metadata: { a: 1 }, job_id: jobId });
      expect((await mine.get(id)).sha256).not.toBe(before.sha256);
      expect(await text(id)).toBe('The baker weighs flour before dawn.');
      expect((await api.get(`${DOCUMENTS}/${id}/content`, me.accessToken)).text).toBe('The baker weighs flour before dawn.');
      expect(await found('lighthouse keeper ships')).toEqual(['The baker weighs flour before dawn.']);
      await whole(id);
    });

    it('keeps what it has when the new content fails, says so, and can be tried again', async () => {
      const { id } = await mine.ready(await mine.add({ name: 'kept', text: 'What was there stays there.' }));
      const { jobId } = mine.accepted(await put(id, { url: at('/gone') }));
      expect(await ended(jobId)).toMatchObject({ status: 'failed', error: { code: 'unprocessable' } });
      expect(await mine.get(id)).toMatchObject({
        status: 'ready',
        chunks: 1,
        source_url: null,
        error: { code: 'unprocessable', retryable: false },
      });
      expect(await text(id)).toBe('What was there stays there.');
      await whole(id);
      pages['/gone'] = (response) => response.end('It came after all.');
      const retried = await api.post(`/api/v1/jobs/${jobId}/retry`, undefined, me.accessToken);
      expect(retried.status).toBe(202);
      expect(await ended(String(retried.json.id))).toMatchObject({ status: 'succeeded' });
      expect(await mine.get(id)).toMatchObject({ status: 'ready', error: null, source_url: at('/gone') });
      expect(await text(id)).toBe('It came after all.');
      await whole(id);
    });

    it('answers 200 for the bytes that it has, and 409 for those of another document', async () => {
      const { id } = await mine.ready(await mine.add({ name: 'one', text: 'First of two texts.' }));
      const { id: other } = await mine.ready(await mine.add({ name: 'two', text: 'Second of two texts.' }));
      const same = await put(id, { text: 'First of two texts.', name: 'renamed' });
      expect([same.status, same.json]).toMatchObject([200, { job: null, document: { id, name: 'renamed', status: 'ready' } }]);
      expect((await put(id, { text: 'Second of two texts.' })).status).toBe(409);
      expect((await mine.remains()).blobs).toHaveLength(4);
      pages['/two'] = (response) => response.end('Second of two texts.');
      expect(await ended(mine.accepted(await put(id, { url: at('/two') })).jobId)).toMatchObject({
        status: 'failed',
        error: { code: 'conflict' },
      });
      pages['/one'] = (response) => response.end('First of two texts.');
      expect(await ended(mine.accepted(await put(id, { url: at('/one') })).jobId)).toMatchObject({
        status: 'succeeded',
        result: { document_id: id, unchanged: true },
      });
      expect([await mine.get(id), await mine.get(other)]).toMatchObject([{ status: 'ready', error: null }, { status: 'ready' }]);
      expect(await mine.settled((now) => now.blobs.length === 4)).toMatchObject({ documents: 2, points: 4, vectors: 4 });
    });

    it('replaces by a known external id, and only in that collection', async () => {
      const first = await mine.ready(
        await mine.upload('Version one of the manual.', 'manual.txt', { external_id: 'manual', metadata: '{"v":1}' }),
      );
      const answer = await mine.upload('Version two of the manual.', 'manual-2.txt', { external_id: 'manual' });
      expect(mine.accepted(answer).id).toBe(first.id);
      const second = await mine.ready(answer);
      expect(second).toMatchObject({ name: 'manual-2.txt', external_id: 'manual', metadata: { v: 1 } });
      expect(await text(first.id)).toBe('Version two of the manual.');
      expect((await mine.upload('Version two of the manual.', 'manual-2.txt', { external_id: 'manual' })).status).toBe(200);
      await whole(first.id);
    });

    it('lets the last of many replacements win', async () => {
      const { id } = await mine.ready(await mine.add({ name: 'contested', text: 'The text before all others.' }));
      const gate = held();
      const answers: ApiAnswer[] = [];
      for (let n = 0; n < 5; n += 1) answers.push(await put(id, { text: `Replacement number ${n} of several.` }));
      gate.go();
      const jobs = await Promise.all(answers.map((answer) => ended(mine.accepted(answer).jobId)));
      expect(jobs.map((job) => job.status)).toEqual(['cancelled', 'cancelled', 'cancelled', 'cancelled', 'succeeded']);
      expect(await text(id)).toBe('Replacement number 4 of several.');
      const racing = await Promise.all(Array.from({ length: 8 }, (_, n) => put(id, { text: `Racing text ${n}.` })));
      const outcomes = await Promise.all(racing.map((answer) => ended(mine.accepted(answer).jobId)));
      const last = (await mine.get(id)) as DocumentBody & { job_id: string };
      expect(last).toMatchObject({ status: 'ready', error: null });
      racing.forEach((answer, n) => {
        if (mine.accepted(answer).jobId === last.job_id) expect(outcomes[n]?.status).toBe('succeeded');
      });
      const winner = racing.findIndex((answer) => mine.accepted(answer).jobId === last.job_id);
      expect(await text(id)).toBe(`Racing text ${winner}.`);
      await whole(id);
    });

    it('replaces a content that nobody has seen yet', async () => {
      const gate = held();
      const { id, jobId } = mine.accepted(await mine.add({ name: 'early', text: 'Too early to be seen.' }));
      await gate.reached;
      const { jobId: next } = mine.accepted(await put(id, { text: 'Just in time.' }));
      gate.go();
      expect((await ended(jobId)).status).toBe('cancelled');
      expect((await ended(next)).status).toBe('succeeded');
      expect(await text(id)).toBe('Just in time.');
      await whole(id);
    });

    it('goes on with a replacement after a restart, and what was seen is seen until then', async () => {
      const { id } = await mine.ready(await mine.add({ name: 'restarted', text: 'Before the restart.' }));
      pages['/new'] = (response) => response.end('After the restart.');
      const gate = held();
      const { jobId } = mine.accepted(await put(id, { url: at('/new') }));
      await gate.reached;
      await api.restart();
      expect((await ended(jobId)).status).toBe('succeeded');
      expect(asked).toEqual(['/new']);
      expect(await text(id)).toBe('After the restart.');
      await whole(id);
    });

    it('fetches an address, names it by what came, and reads it', async () => {
      pages['/files/report%202.txt'] = (response) => response.end('Rain fell on forty days of the year.');
      pages['/page'] = (response) =>
        response
          .writeHead(200, { 'content-type': 'text/html' })
          .end(
            `<html><head><title>Tides of the bay</title></head><body><article><p>${'High water comes twice a day. '.repeat(20)}</p></article></body></html>`,
          );
      pages['/other'] = (response) => response.end('<html><title>Other</title><body><p>Another page with a paragraph.</p></body></html>');
      pages['/disposition'] = (response) =>
        response.writeHead(200, { 'content-disposition': `attachment; filename="../../${'x'.repeat(3)}.txt"` }).end('Something short.');
      const file = await mine.ready(await mine.add({ url: at('/files/report%202.txt#top'), metadata: { a: true } }));
      expect(file).toMatchObject({
        name: 'report 2.txt',
        source_url: at('/files/report%202.txt'),
        media_type: 'text/plain',
        metadata: { a: true },
      });
      expect(await mine.ready(await mine.add({ url: at('/page') }))).toMatchObject({
        name: 'Tides of the bay',
        title: 'Tides of the bay',
        media_type: 'text/html',
      });
      expect(await mine.ready(await mine.add({ url: at('/other'), name: 'x' }))).toMatchObject({ name: 'x', title: 'Other' });
      expect(await mine.ready(await mine.add({ url: at('/disposition') }))).toMatchObject({ name: 'xxx.txt' });
    });

    it('ends with the document that has these bytes, and the provisional one is gone', async () => {
      const { id: first } = await mine.ready(await mine.add({ name: 'known', text: 'These bytes are known.' }));
      const before = await mine.remains();
      pages['/known'] = (response) => response.end('These bytes are known.');
      const { id, jobId } = mine.accepted(await mine.add({ url: at('/known') }));
      expect(id).not.toBe(first);
      expect(await ended(jobId)).toMatchObject({ status: 'succeeded', result: { document_id: first, duplicate: true, chunks: 1 } });
      expect((await api.get(`${DOCUMENTS}/${id}`, me.accessToken)).status).toBe(404);
      expect(await mine.settled((now) => now.blobs.length === before.blobs.length)).toEqual(before);
      pages['/twice'] = (response) => response.end('Fetched by two jobs.');
      const both = [mine.accepted(await mine.add({ url: at('/twice') })), mine.accepted(await mine.add({ url: at('/twice') }))];
      const outcomes = await Promise.all(both.map(({ jobId: each }) => ended(each)));
      expect(new Set(outcomes.map(({ result }) => result?.document_id)).size).toBe(1);
      expect(await mine.settled((now) => now.documents === 2 && now.blobs.length === 4)).toMatchObject({
        documents: 2,
        points: 4,
        vectors: 4,
      });
    });

    it.each([
      ['an answer of 404', 'unprocessable', (response: ServerResponse) => response.writeHead(404).end()],
      [
        'a redirect to a private address',
        'egress_blocked',
        (response: ServerResponse) => response.writeHead(302, { location: 'http://10.0.0.1/' }).end(),
      ],
      ['a program', 'unsupported_media_type', (response: ServerResponse) => response.end('\x7fELF\x02\x01\x01\x00\x00\x00')],
      ['nothing', 'unprocessable', (response: ServerResponse) => response.end()],
    ])('fails with %s and leaves nothing but the reason', async (_name, code, page) => {
      pages['/bad'] = page;
      const { id, jobId } = mine.accepted(await mine.add({ url: at('/bad') }));
      expect(await ended(jobId)).toMatchObject({ status: 'failed', error: { code } });
      expect(await mine.get(id)).toMatchObject({ status: 'failed', error: { code }, sha256: null, chunks: 0 });
      expect(await mine.settled((now) => now.blobs.length === 0)).toEqual({ documents: 1, points: 0, vectors: 0, blobs: [] });
      for (const path of ['text', 'chunks', 'content'])
        expect((await api.get(`${DOCUMENTS}/${id}/${path}`, me.accessToken)).status).toBe(409);
    });

    it('forgets what an upload left that never ended, and no upload that goes on', async () => {
      const { id } = await mine.ready(await mine.add({ name: 'uploads', text: 'One content.' }));
      const client = get(PostgresClient);
      const going = new FormData();
      going.append('metadata', '[]');
      going.append('file', new Blob(['refused with its metadata']), 'a.txt');
      expect((await put(id, going)).status).toBe(422);
      expect(await client.query(sql`SELECT * FROM document_uploads`)).toEqual([]);
      const originals = get(DocumentOriginals);
      const stored = await originals.receive(Buffer.from('On its way.'), { place: await originals.reserve(me.workspaceId, id) });
      await get(DocumentSweep).document(id);
      expect((await mine.remains()).blobs).toHaveLength(3);
      await client.query(
        sql`UPDATE document_uploads SET created_at = now() - interval '2 hours' WHERE content_version = ${stored.contentVersion}`,
      );
      await get(DocumentSweep).document(id);
      await whole(id);
    });
  });
});
