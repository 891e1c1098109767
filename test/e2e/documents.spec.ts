import { createHash, randomBytes } from 'node:crypto';
import { PostgresClient, sql } from '@backing/postgres';
import { v7 } from 'uuid';
import { startApi, type ApiAnswer, type Registered, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { DocumentsOf } from '../support/documents';
import { describeModels } from '../support/models';

const DOCUMENTS = '/api/v1/documents';
const UPLOAD_BYTES = 3_000_000;
const MARKDOWN = '# Ferry\n\nThe ferry leaves at 8.30 every day.\n\n## Prices\n\nA ticket costs 12 crowns for adults.\n';

describeModels('Documents over HTTP', () => {
  describeDatabases('on', (kind) => {
    let api: TestApi;
    let me: Registered;
    let mine: DocumentsOf;

    beforeAll(async () => {
      api = await startApi({
        database: kind,
        env: { AUTH_REGISTRATION: 'open', MAX_UPLOAD_BYTES: String(UPLOAD_BYTES), RATE_LIMIT_PER_MINUTE: '100000' },
      });
      me = await api.register();
      mine = new DocumentsOf(api, me);
    });
    afterAll(() => api.close());

    const refused = async (answer: Promise<ApiAnswer>): Promise<unknown[]> => {
      const { status, json } = await answer;
      return [status, json.code, (json.errors as unknown as { path: string }[] | undefined)?.[0]?.path];
    };

    it('takes a file, reads it with progress and shows it', async () => {
      const answer = await mine.upload(MARKDOWN, 'C:\\docs\\Fähre 渡し船.md', {
        metadata: '{"year": 1921, "tags": ["a", "b"]}',
        external_id: 'ferry-1',
      });
      const { id, jobId } = mine.accepted(answer);
      expect(answer.headers.get('location')).toBe(`/api/v1/jobs/${jobId}`);
      expect(answer.json).toMatchObject({ document: { status: 'pending', chunks: 0, job_id: jobId }, job: { kind: 'documents.ingest' } });
      const events = await mine.events(jobId);
      expect(events.map((event) => event.id)).toEqual(events.map((_, index) => index + 1));
      expect(events[0]).toMatchObject({ event: 'accepted', data: { job_id: jobId, document_id: id } });
      expect(events.filter((event) => event.event === 'progress').at(-1)?.data).toEqual({
        done: 3,
        total: 3,
        unit: 'chunks',
        message: expect.any(String),
      });
      expect(events.at(-1)).toMatchObject({ event: 'done', data: { document_id: id, chunks: 2 } });
      const bytes = Buffer.from(MARKDOWN);
      expect(await mine.get(id)).toEqual({
        id,
        collection: 'default',
        name: 'Fähre 渡し船.md',
        title: null,
        external_id: 'ferry-1',
        source_url: null,
        media_type: 'text/markdown',
        bytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        status: 'ready',
        error: null,
        language: 'en',
        pages: null,
        chunks: 2,
        metadata: { year: 1921, tags: ['a', 'b'] },
        job_id: jobId,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        updated_at: expect.any(String),
      });
    });

    it('answers the document that is there for the same bytes, also to fifty at once', async () => {
      const [first, again] = [await mine.upload(MARKDOWN, 'other-name.md'), await mine.upload(MARKDOWN)];
      expect([first.status, again.status]).toEqual([200, 200]);
      expect(first.json).toMatchObject({ document: { name: 'Fähre 渡し船.md' }, job: null });
      const text = `Together ${v7()}`;
      const answers = await Promise.all(Array.from({ length: 50 }, () => mine.add({ name: 'together', text })));
      const [created, ...others] = answers.filter((answer) => answer.status === 202);
      expect(others).toEqual([]);
      expect(answers.filter((answer) => answer.status === 200)).toHaveLength(49);
      const { id } = mine.accepted(created as ApiAnswer);
      expect(new Set(answers.map((answer) => (answer.json.document as unknown as { id: string }).id))).toEqual(new Set([id]));
      await mine.events(mine.accepted(created as ApiAnswer).jobId);
      const { blobs } = await mine.remains();
      expect(blobs.filter((key) => key.startsWith('documents/'))).toHaveLength(2);
    });

    it('extracts the text with offsets in UTF-16 code units', async () => {
      const text = `\ufeffA🙂b\0c ${'Ü'.repeat(3)}\r\nEnd.`;
      const { id } = await mine.ready(await mine.upload(text));
      const path = `${DOCUMENTS}/${id}/text`;
      const whole = `A🙂b\ufffdc ÜÜÜ\r\nEnd.`;
      expect((await api.get(path, me.accessToken)).json).toEqual({ start: 0, end: whole.length, length: whole.length, text: whole });
      expect((await api.get(`${path}?start=1&end=4`, me.accessToken)).json).toMatchObject({ start: 1, end: 4, text: whole.slice(1, 4) });
      expect((await api.get(`${path}?start=900&end=901`, me.accessToken)).json).toMatchObject({
        start: whole.length,
        end: whole.length,
        text: '',
      });
      expect(await refused(api.get(`${path}?start=4&end=1`, me.accessToken))).toEqual([400, 'invalid', 'end']);
      expect(await refused(api.get(`${path}?start=-1`, me.accessToken))).toEqual([400, 'invalid', 'start']);
    });

    it('reads UTF-16 and takes fields after the file', async () => {
      const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('Sechzehn Bit für jedes Zeichen der Fähre.', 'utf16le')]);
      const document = await mine.ready(await mine.upload(bytes, '', { collection: 'default' }));
      expect(document).toMatchObject({ name: 'document', media_type: 'text/plain', chunks: 1 });
    });

    it.each([
      ['a program', Buffer.from('\x7fELF\x02\x01\x01'), 415, 'unsupported_media_type'],
      ['ZIP', Buffer.from('PK\x03\x04'), 415, 'unsupported_media_type'],
      ['noise', randomBytes(2_000_000), 415, 'unsupported_media_type'],
      ['nothing', Buffer.alloc(0), 422, 'unprocessable'],
      ['white space', Buffer.from(' \n\t\u00a0'), 422, 'unprocessable'],
      ['too much', Buffer.alloc(UPLOAD_BYTES + 1, 'a '), 413, 'too_large'],
      ['far too much', Buffer.alloc(UPLOAD_BYTES * 3, 'a '), 413, 'too_large'],
    ])('refuses %s and leaves nothing', async (_, content, status, code) => {
      const before = await mine.remains();
      expect(await refused(mine.upload(content))).toEqual([status, code, undefined]);
      expect(await mine.remains()).toEqual(before);
    });

    it('refuses every other fault of the request by name, and leaves nothing', async () => {
      const before = await mine.remains();
      const name = 'n';
      const cases: [unknown[], Promise<ApiAnswer>][] = [
        [[400, 'invalid', 'text'], mine.add({ name, text: 'x', url: 'https://example.org/' })],
        [[400, 'invalid', 'external_id'], mine.add({ name, text: 'x', external_id: '' })],
        [[400, 'invalid', 'external_id'], mine.add({ name, text: 'x', external_id: 'x'.repeat(201) })],
        [[400, 'invalid', 'name'], mine.add({ name: 'x'.repeat(256), text: 'x' })],
        [[400, 'invalid', 'url'], mine.add({ url: '' })],
        [[422, 'egress_blocked', 'url'], mine.add({ url: 'http://127.0.0.1/' })],
        [[422, 'egress_blocked', 'url'], mine.add({ url: 'http://[::ffff:169.254.169.254]/' })],
        [[422, 'egress_blocked', 'url'], mine.add({ url: 'file:///etc/passwd' })],
        [[422, 'egress_blocked', 'url'], mine.add({ url: 'https://user:word@example.org/' })],
        [[422, 'unprocessable', 'constructor'], mine.add({ name, text: 'x', metadata: { constructor: 'x' } })],
        [[400, 'invalid', 'text'], mine.add({ name })],
        [[400, 'invalid', 'name'], mine.add({ name: ' ', text: 'x' })],
        [[400, 'invalid', 'collection'], mine.add({ name, text: 'x', collection: 'No Name' })],
        [[404, 'not_found', undefined], mine.add({ name, text: 'x', collection: 'nowhere' })],
        [[422, 'unprocessable', undefined], mine.add({ name, text: ' \n ' })],
        [[422, 'unprocessable', 'text'], mine.add({ name, text: 'a\0b' })],
        [[422, 'unprocessable', 'text'], mine.add({ name, text: 'a\ud800b' })],
        [[422, 'unprocessable', 'metadata.a'], mine.add({ name, text: 'x', metadata: { a: null } })],
        [[422, 'unprocessable', 'metadata.a'], mine.add({ name, text: 'x', metadata: { a: { b: 1 } } })],
        [[422, 'unprocessable', 'metadata'], mine.add({ name, text: 'x', metadata: { '1a': 1 } })],
        [
          [422, 'unprocessable', 'metadata'],
          mine.add({ name, text: 'x', metadata: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`f${n}`, n])) }),
        ],
        [[413, 'too_large', undefined], mine.add({ name, text: 'x'.repeat(1_100_000) })],
        [[400, 'invalid', 'colour'], mine.upload('x y', 'f.txt', { colour: 'red' })],
        [[400, 'invalid', 'metadata'], mine.upload('x y', 'f.txt', { metadata: '{' })],
        [[422, 'unprocessable', 'metadata'], mine.upload('x y', 'f.txt', { metadata: '[]' })],
        [[422, 'unprocessable', '__proto__'], mine.upload('x y', 'f.txt', { metadata: '{"__proto__":1}' })],
        [[404, 'not_found', undefined], mine.upload('x y', 'f.txt', { collection: 'nowhere' })],
        [[400, 'invalid', 'body'], api.post(DOCUMENTS, undefined, me.accessToken)],
      ];
      for (const [expected, answer] of cases) expect(await refused(answer)).toEqual(expected);
      const form = new FormData();
      form.append('collection', 'default');
      expect(await refused(api.post(DOCUMENTS, form, me.accessToken))).toEqual([400, 'invalid', 'file']);
      form.append('picture', new Blob(['x']), 'x.txt');
      expect(await refused(api.post(DOCUMENTS, form, me.accessToken))).toEqual([400, 'invalid', 'picture']);
      const raw = (type: string, body: string) =>
        fetch(`${api.url}${DOCUMENTS}`, {
          method: 'POST',
          body,
          headers: { authorization: `Bearer ${me.accessToken}`, 'content-type': type },
        });
      expect((await raw('text/plain', 'hello')).status).toBe(415);
      expect((await raw('multipart/form-data', 'hello')).status).toBe(400);
      expect(
        (await raw('multipart/form-data; boundary=x', '--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello'))
          .status,
      ).toBe(400);
      expect(await mine.remains()).toEqual(before);
    });

    it('leaves nothing of an upload whose sender goes away', async () => {
      const before = await mine.remains();
      const controller = new AbortController();
      const body = new ReadableStream<Uint8Array>({
        start: (stream) =>
          stream.enqueue(Buffer.from('--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello ')),
        pull: () => controller.abort(),
      });
      const sending = fetch(`${api.url}${DOCUMENTS}`, {
        method: 'POST',
        body,
        duplex: 'half',
        signal: controller.signal,
        headers: { authorization: `Bearer ${me.accessToken}`, 'content-type': 'multipart/form-data; boundary=x' },
      } as RequestInit);
      await expect(sending).rejects.toThrow();
      expect(await mine.settled((now) => now.blobs.length === before.blobs.length)).toEqual(before);
    });

    it('lists by collection and status, in pages', async () => {
      const list = async (query: string) =>
        (await api.get(`${DOCUMENTS}${query}`, me.accessToken)).json as unknown as {
          data: { id: string }[];
          has_more: boolean;
          last_id: string;
        };
      const all = await list('?collection=default&status=ready');
      expect(all.data.length).toBeGreaterThanOrEqual(4);
      const first = await list('?limit=2');
      const next = await list(`?limit=100&after=${first.last_id}`);
      expect([...first.data, ...next.data]).toEqual(all.data);
      expect(first.has_more).toBe(true);
      expect((await list('?status=failed')).data).toEqual([]);
      expect(await refused(api.get(`${DOCUMENTS}?collection=nowhere`, me.accessToken))).toEqual([404, 'not_found', undefined]);
      expect(await refused(api.get(`${DOCUMENTS}?status=lost`, me.accessToken))).toEqual([400, 'invalid', 'status']);
    });

    it('belongs to its workspace, to those with the scope', async () => {
      const { id } = await mine.ready(await mine.add({ name: 'secret', text: `Only ours ${v7()}` }));
      const other = await api.register(`${v7()}@example.org`);
      for (const path of [`${DOCUMENTS}/${id}`, `${DOCUMENTS}/${id}/text`])
        expect((await api.get(path, other.accessToken)).status).toBe(404);
      expect((await api.delete(`${DOCUMENTS}/${id}`, other.accessToken)).status).toBe(404);
      expect((await api.get(`${DOCUMENTS}/${v7()}`, me.accessToken)).status).toBe(404);
      const reader = await api.key(me.accessToken, ['documents:read']);
      expect((await api.get(`${DOCUMENTS}/${id}`, reader)).status).toBe(200);
      expect((await api.delete(`${DOCUMENTS}/${id}`, reader)).status).toBe(403);
      expect((await api.post(DOCUMENTS, { name: 'n', text: 'x' }, reader)).status).toBe(403);
    });

    it('shows documents to a viewer and lets an editor change them', async () => {
      const viewer = await api.register(`${v7()}@example.org`);
      await api.app
        .get(PostgresClient, { strict: false })
        .query(sql`UPDATE memberships SET role = 'viewer' WHERE user_id = ${viewer.userId}`);
      expect((await api.get(DOCUMENTS, viewer.accessToken)).status).toBe(200);
      expect((await api.post(DOCUMENTS, { name: 'n', text: 'x' }, viewer.accessToken)).status).toBe(403);
      expect((await api.delete(`${DOCUMENTS}/${v7()}`, viewer.accessToken)).status).toBe(403);
    });

    it('is gone everywhere once it is deleted', async () => {
      const before = await mine.remains();
      const { id } = await mine.ready(await mine.add({ name: 'short-lived', text: `Nobody will remember this ${v7()}.` }));
      const client = api.app.get(PostgresClient, { strict: false });
      const cited = [
        { index: 1, document_id: id, document: 'short-lived', chunk_id: v7(), start: 0, end: 6, score: 1, quote: 'Nobody', supports: [] },
        { index: 2, document_id: v7(), document: 'other', chunk_id: v7(), start: 0, end: 5, score: 1, quote: 'Other', supports: [] },
      ];
      const [session, message, job] = [v7(), v7(), v7()];
      await client.query(sql`INSERT INTO chat_sessions (id, workspace_id, owner_id) VALUES (${session}, ${me.workspaceId}, ${me.userId})`);
      await client.query(
        sql`INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, status, max_attempts, result)
            VALUES (${job}, ${me.workspaceId}, ${me.userId}, 'test.cited', 1, '{}', 'succeeded', 1, ${JSON.stringify({ id: message, citations: cited })})`,
      );
      await client.query(
        sql`INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, role, status, citations, job_id)
            VALUES (${message}, ${session}, ${me.workspaceId}, ${me.userId}, 'assistant', 'complete', ${JSON.stringify(cited)}, ${job})`,
      );
      for (const [seq, event] of [
        [1, 'citations'],
        [2, 'done'],
      ] as const) {
        await client.query(
          sql`INSERT INTO job_events (job_id, seq, event, data) VALUES (${job}, ${seq}, ${event}, ${JSON.stringify({ citations: cited, final: true })})`,
        );
      }
      expect((await api.delete(`${DOCUMENTS}/${id}`, me.accessToken)).status).toBe(204);
      expect((await api.get(`${DOCUMENTS}/${id}`, me.accessToken)).status).toBe(404);
      expect((await api.delete(`${DOCUMENTS}/${id}`, me.accessToken)).status).toBe(404);
      expect(await mine.settled((now) => now.points === before.points && now.blobs.length === before.blobs.length)).toEqual(before);
      const { quote: _quote, ...first } = cited[0] ?? {};
      const expected = [{ ...first, deleted: true }, cited[1]];
      const [stored] = await client.query<{ citations: unknown }>(sql`SELECT citations FROM chat_messages WHERE id = ${message}`);
      const events = await client.query<{ data: unknown }>(sql`SELECT data FROM job_events WHERE job_id = ${job}`);
      const [ended] = await client.query<{ result: unknown }>(sql`SELECT result FROM jobs WHERE id = ${job}`);
      expect(stored?.citations).toEqual(expected);
      expect(events.map((event) => event.data)).toEqual([
        { citations: expected, final: true },
        { citations: expected, final: true },
      ]);
      expect(ended?.result).toEqual({ id: message, citations: expected });
      const again = await mine.add({ name: 'short-lived', text: 'Another text.' });
      expect(again.status).toBe(202);
      await mine.ready(again);
    });
  });
});
