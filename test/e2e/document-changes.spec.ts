import { Documents, DocumentSweep } from '@features/documents';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startApi, type ApiAnswer, type Registered, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { DocumentsOf, type DocumentBody } from '../support/documents';
import { describeModels } from '../support/models';

const DOCUMENTS = '/api/v1/documents';
const LONG = Array.from({ length: 6 }, (_, n) => `# Part ${n}\n\n${`Sentence of part ${n} about tides and ferries. `.repeat(30)}`).join(
  '\n\n',
);

describeModels('Documents over HTTP, later', () => {
  describeDatabases('on', (kind) => {
    let api: TestApi;
    let me: Registered;
    let mine: DocumentsOf;
    let server: Server;
    let document: DocumentBody;
    let path: string;

    beforeAll(async () => {
      server = createServer((request, response) =>
        request.url === '/moved' ? response.writeHead(307, { location: 'http://[::1]/' }).end() : response.end('A page of the neighbour.'),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      api = await startApi({
        database: kind,
        env: { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '100000', EGRESS_ALLOW: '127.0.0.1/32' },
      });
      me = await api.register();
      mine = new DocumentsOf(api, me);
      document = await mine.ready(await mine.upload(LONG, 'tides.md'));
      path = `${DOCUMENTS}/${document.id}`;
    });
    afterAll(async () => {
      await api.close();
      await new Promise((resolve) => server.close(resolve));
    });

    const send = (method: string, body?: unknown, headers: Record<string, string> = {}, to = path): Promise<ApiAnswer> =>
      api.request(to, { method, body, headers, token: me.accessToken });
    const refused = async (answer: Promise<ApiAnswer>): Promise<unknown[]> => {
      const { status, json } = await answer;
      return [status, json.code, (json.errors as unknown as { path: string }[] | undefined)?.[0]?.path];
    };
    const tag = async (): Promise<string> => (await api.get(path, me.accessToken)).headers.get('etag') ?? '';

    it('gives the original back as an attachment, byte for byte', async () => {
      await send('PATCH', { name: 'Gezeiten "&" 潮.md' });
      const answer = await api.get(`${path}/content`, me.accessToken);
      expect(answer.status).toBe(200);
      expect(answer.text).toBe(LONG);
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'content-type': expect.stringMatching(/^text\/markdown/u),
        'content-length': String(Buffer.byteLength(LONG)),
        'content-disposition': `attachment; filename="Gezeiten _&_ _.md"; filename*=UTF-8''Gezeiten%20%22%26%22%20%E6%BD%AE.md`,
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        etag: await tag(),
      });
      const head = await api.request(`${path}/content`, { method: 'HEAD', token: me.accessToken });
      expect([head.status, head.text, head.headers.get('content-length')]).toEqual([200, '', String(Buffer.byteLength(LONG))]);
    });

    it('lists its passages in the order of the text, in pages', async () => {
      type Chunks = {
        data: { id: string; ordinal: number; start: number; end: number; text: string; tokens: number }[];
        has_more: boolean;
      };
      const list = async (query: string) => (await api.get(`${path}/chunks${query}`, me.accessToken)).json as unknown as Chunks;
      const all = await list('?limit=100');
      expect(all.data.map((chunk) => chunk.ordinal)).toEqual(Array.from({ length: document.chunks }, (_, n) => n));
      expect(document.chunks).toBeGreaterThan(5);
      for (const chunk of all.data) expect(LONG.slice(chunk.start, chunk.end)).toBe(chunk.text);
      expect(all.data[0]).toMatchObject({ page: null, heading: 'Part 0', tokens: expect.any(Number) });
      const first = await list('?limit=2');
      expect(first).toMatchObject({ has_more: true, data: all.data.slice(0, 2) });
      const cursor = first.data[1]?.id ?? '';
      expect((await list(`?limit=2&after=${cursor}`)).data).toEqual(all.data.slice(2, 4));
      expect((await list(`?limit=100&before=${cursor}`)).data).toEqual(all.data.slice(0, 1));
      expect((await list('?order=desc&limit=1')).data).toEqual(all.data.slice(-1));
      expect(await refused(api.get(`${path}/chunks?after=${document.id}`, me.accessToken))).toEqual([400, 'invalid', 'after']);
      expect(await refused(api.get(`${path}/chunks?limit=0`, me.accessToken))).toEqual([400, 'invalid', 'limit']);
    });

    it('changes name and metadata, each as a whole', async () => {
      const before = await tag();
      const answer = await send('PATCH', { name: 'Tides', metadata: { year: 1921 } });
      expect([answer.status, answer.json]).toMatchObject([
        200,
        { name: 'Tides', metadata: { year: 1921 }, status: 'ready', chunks: document.chunks },
      ]);
      expect(answer.headers.get('etag')).not.toBe(before);
      expect((await send('PATCH', { metadata: { tags: ['a'] } })).json).toMatchObject({ name: 'Tides', metadata: { tags: ['a'] } });
      expect((await send('PATCH', { name: 'Ebb' })).json).toMatchObject({ name: 'Ebb', metadata: { tags: ['a'] } });
    });

    it('refuses changes that are none, or not allowed', async () => {
      const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`f${n}`, n]));
      for (const [body, expected] of [
        [{ name: '' }, [400, 'invalid', 'name']],
        [{ name: 'x'.repeat(256) }, [400, 'invalid', 'name']],
        [{ name: 'a\0' }, [422, 'unprocessable', 'name']],
        [{ status: 'ready' }, [400, 'invalid', 'status']],
        [{ metadata: [] }, [400, 'invalid', 'metadata']],
        [{ metadata: { a: null } }, [422, 'unprocessable', 'metadata.a']],
        [{ metadata: { a: { b: 1 } } }, [422, 'unprocessable', 'metadata.a']],
        [{ metadata: { a: [1] } }, [422, 'unprocessable', 'metadata.a']],
        [{ metadata: { 'a b': 1 } }, [422, 'unprocessable', 'metadata']],
        [{ metadata: { prototype: 1 } }, [422, 'unprocessable', 'prototype']],
        [{ metadata: many }, [422, 'unprocessable', 'metadata']],
      ] as const)
        expect(await refused(send('PATCH', body))).toEqual(expected);
      for (const [body, expected] of [
        [{}, [400, 'invalid', 'text']],
        [{ text: 'x', collection: 'default' }, [400, 'invalid', 'collection']],
        [{ text: 'x', external_id: 'a' }, [400, 'invalid', 'external_id']],
        [{ text: 'x', url: 'https://example.org/' }, [400, 'invalid', 'text']],
        [{ text: ' ' }, [422, 'unprocessable', undefined]],
        [{ url: 'http://10.0.0.1/' }, [422, 'egress_blocked', 'url']],
        [{ text: 'x', metadata: { a: null } }, [422, 'unprocessable', 'metadata.a']],
      ] as const)
        expect(await refused(send('PUT', body))).toEqual(expected);
      expect(await mine.remains()).toMatchObject({ documents: 1, blobs: [expect.any(String), expect.any(String)] });
    });

    it('demands the state that the caller knows when it is told one', async () => {
      const stale = await tag();
      await send('PATCH', { name: 'moved on' });
      const etag = await tag();
      for (const ifMatch of [stale, 'W/' + etag, '"x"']) {
        const headers = { 'if-match': ifMatch };
        expect(await refused(send('PATCH', { name: 'lost' }, headers))).toEqual([412, 'precondition_failed', undefined]);
        expect(await refused(send('PUT', { text: 'lost' }, headers))).toEqual([412, 'precondition_failed', undefined]);
        expect(await refused(send('DELETE', undefined, headers))).toEqual([412, 'precondition_failed', undefined]);
      }
      expect((await send('PATCH', { name: 'kept' }, { 'if-match': `"0", ${etag}` })).json).toMatchObject({ name: 'kept' });
      const replaced = await send('PUT', { text: 'Other content under the same id.' }, { 'if-match': await tag() });
      expect(replaced.headers.get('location')).toBe(`/api/v1/jobs/${mine.accepted(replaced).jobId}`);
      expect(await mine.ready(replaced)).toMatchObject({ id: document.id, name: 'kept', chunks: 1 });
      expect((await send('PUT', { text: 'Other content under the same id.' }, { 'if-match': '*' })).status).toBe(200);
    });

    it('lists the passages of one content, also when it is replaced while they are read', async () => {
      const documents = api.app.get(Documents, { strict: false });
      const get = documents.get.bind(documents);
      const spy = jest.spyOn(documents, 'get').mockImplementationOnce(async (workspaceId, id) => {
        const before = await get(workspaceId, id);
        await mine.ready(await send('PUT', { text: 'The ferry leaves with the tide.' }));
        await api.app.get(DocumentSweep, { strict: false }).document(id);
        return before;
      });
      const { json } = await send('GET', undefined, {}, `${path}/chunks`);
      spy.mockRestore();
      expect(json.data).toEqual([expect.objectContaining({ text: 'The ferry leaves with the tide.' })]);
    });

    it('takes a file as the new content, with its name', async () => {
      const form = new FormData();
      form.append('metadata', '{"by":"form"}');
      form.append('file', new Blob(['From a form.'], { type: 'text/plain; charset=utf-8' }), 'form.txt');
      expect(await mine.ready(await send('PUT', form))).toMatchObject({ id: document.id, name: 'form.txt', metadata: { by: 'form' } });
      const extra = new FormData();
      extra.append('collection', 'default');
      extra.append('file', new Blob(['x']), 'x.txt');
      expect(await refused(send('PUT', extra))).toEqual([400, 'invalid', 'collection']);
      expect(await refused(send('PUT', new FormData()))).toEqual([400, 'invalid', 'file']);
    });

    it('fetches what EGRESS_ALLOW names, and follows no redirect beyond it', async () => {
      const { port } = server.address() as AddressInfo;
      const answer = await mine.add({ url: `http://127.0.0.1:${port}/notes.txt` });
      const { jobId } = mine.accepted(answer);
      expect(answer.json).toMatchObject({
        document: { status: 'pending', sha256: null, bytes: 0, name: 'notes.txt', media_type: 'application/octet-stream' },
      });
      const messages = (await mine.events(jobId)).filter((event) => event.event === 'progress').map((event) => event.data.message);
      expect(messages[0]).toBe('Fetching');
      const moved = mine.accepted(await mine.add({ url: `http://127.0.0.1:${port}/moved` }));
      expect((await mine.events(moved.jobId)).at(-1)).toMatchObject({ event: 'error', data: { code: 'egress_blocked', retryable: false } });
      expect(await mine.get(moved.id)).toMatchObject({ status: 'failed', error: { code: 'egress_blocked' } });
    });

    it('hides all of it from others, and the writing from readers', async () => {
      const other = await api.register('other@example.org');
      const reader = await api.key(me.accessToken, ['documents:read']);
      for (const [method, to] of [
        ['GET', `${path}/content`],
        ['GET', `${path}/chunks`],
        ['PATCH', path],
        ['PUT', path],
      ] as const) {
        const body = method === 'GET' ? undefined : method === 'PATCH' ? { name: 'n' } : { text: 'x' };
        expect([method, to, (await api.request(to, { method, body, token: other.accessToken })).status]).toEqual([method, to, 404]);
        expect([method, to, (await api.request(to, { method, body, token: reader })).status]).toEqual([
          method,
          to,
          method === 'GET' ? 200 : 403,
        ]);
      }
    });

    it('deletes with the state that the caller knows', async () => {
      expect((await send('DELETE', undefined, { 'if-match': await tag() })).status).toBe(204);
      for (const to of ['', '/content', '/chunks', '/text']) expect((await send('GET', undefined, {}, path + to)).status).toBe(404);
      expect((await send('PUT', { text: 'x' })).status).toBe(404);
      expect((await send('PATCH', { name: 'x' })).status).toBe(404);
    });
  });
});
