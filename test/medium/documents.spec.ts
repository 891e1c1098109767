import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PgvectorStore, PostgresClient, sql } from '@backing/postgres';
import { DocumentSweep } from '@features/documents';
import { Models } from '@features/models';
import { Collections, Search } from '@features/vectors';
import { Blobs } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import { v7 } from 'uuid';
import { startApi, type Registered, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { DocumentsOf } from '../support/documents';
import { describeModels } from '../support/models';
import { onSmallDisk, smallDisk } from '../support/small-disk';
import { until } from '../support/until';

/** About 30 chunks: four batches. */
const LONG = Array.from(
  { length: 30 },
  (_, n) => `## Part ${n}\n\n${`The keeper of light number ${n} wrote down wind and waves. `.repeat(12)}`,
).join('\n\n');
const BATCH = 8;
const NOTHING = { documents: 0, points: 0, vectors: 0, blobs: [] };

describeModels('Reading a document', () => {
  describeDatabases('through crashes', (kind) => {
    let api: TestApi;
    let me: Registered;
    let mine: DocumentsOf;

    beforeEach(async () => {
      api = await startApi({ database: kind, env: { RATE_LIMIT_PER_MINUTE: '100000' } });
      me = await api.register();
      mine = new DocumentsOf(api, me);
    });
    afterEach(async () => {
      jest.restoreAllMocks();
      await api.close();
    });

    const get = <T>(type: abstract new (...parameters: never[]) => T): T => api.app.get(type, { strict: false });
    const client = (): PostgresClient => get(PostgresClient);
    /** The inputs that the model is given from now on. */
    const embedded = (): string[] => {
      const inputs: string[] = [];
      const models = get(Models);
      const embed = models.embed.bind(models);
      jest.spyOn(models, 'embed').mockImplementation((request, account) => {
        inputs.push(...request.texts);
        return embed(request, account);
      });
      return inputs;
    };
    const points = async (id: string) =>
      client().query<{ id: string; kind: string; ordinal: number; start: number; end: number; text: string; tokens: number }>(
        sql`SELECT id, kind, ordinal, start_offset AS start, end_offset AS "end", text, tokens FROM points WHERE document_id = ${id} ORDER BY kind, ordinal`,
      );
    /** Stops the job at its `n`th batch, until `go` is called; `inputs` gets what the model is given. */
    const heldAt = (n: number, inputs: string[] = []): { reached: Promise<void>; go: () => void } => {
      const models = get(Models);
      const embed = models.embed.bind(models);
      let go = (): void => undefined;
      let arrive = (): void => undefined;
      const reached = new Promise<void>((resolve) => (arrive = resolve));
      const gate = new Promise<void>((resolve) => (go = resolve));
      let batches = 0;
      jest.spyOn(models, 'embed').mockImplementation(async (request, account) => {
        batches += 1;
        if (batches === n) {
          arrive();
          await Promise.race([gate, new Promise((resolve) => request.signal.addEventListener('abort', resolve))]);
        }
        inputs.push(...request.texts);
        return embed(request, account);
      });
      return { reached, go };
    };

    it('writes chunks that are exact slices and cover the text, and one overview', async () => {
      const document = await mine.ready(await mine.upload(LONG, 'log.md'));
      const found = await points(document.id);
      const chunks = found.filter((point) => point.kind === 'chunk');
      expect(chunks.map((chunk) => chunk.ordinal)).toEqual(chunks.map((_, n) => n));
      expect(chunks).toHaveLength(document.chunks);
      let covered = 0;
      for (const chunk of chunks) {
        expect(LONG.slice(chunk.start, chunk.end)).toBe(chunk.text);
        expect(chunk.tokens).toBeLessThanOrEqual(200);
        expect(LONG.slice(covered, Math.max(covered, chunk.start)).trim()).toBe('');
        covered = Math.max(covered, chunk.end);
      }
      expect(covered).toBe(LONG.length - 1);
      expect(found.filter((point) => point.kind === 'overview')).toEqual([expect.objectContaining({ ordinal: 0, start: 0 })]);
      expect((await mine.remains()).vectors).toBe(found.length);
      const collections = await get(Collections).resolve(me.workspaceId, ['default']);
      const [overview] = await get(Search).overviews(collections, 1);
      expect(overview).toMatchObject({ documentId: document.id, kind: 'overview', start: 0 });
      expect(overview?.heading?.split('\n')).toHaveLength(30);
      expect(LONG.startsWith(overview?.text ?? '?')).toBe(true);
    });

    it('goes on after a failure of the database with the batch that it took', async () => {
      const inputs = embedded();
      const store = get(PgvectorStore);
      const write = store.write.bind(store);
      let calls = 0;
      jest.spyOn(store, 'write').mockImplementation((connection, space, vectors) => {
        calls += 1;
        return calls === 3 ? Promise.reject(new AppError('unavailable', 'The store went away.')) : write(connection, space, vectors);
      });
      const answer = await mine.upload(LONG, 'log.md');
      const { id, jobId } = mine.accepted(answer);
      const events = await mine.events(jobId);
      expect(events.map((event) => event.id)).toEqual(events.map((_, index) => index + 1));
      expect(events.filter((event) => event.event === 'started').map((event) => event.data)).toEqual([{ attempt: 1 }, { attempt: 2 }]);
      expect(events.at(-1)).toMatchObject({ event: 'done' });
      const found = await points(id);
      // Ledger and store are one database here: the batch was in neither.
      expect([new Set(inputs).size, inputs.length]).toEqual([found.length, found.length + BATCH]);
      expect(await mine.remains()).toMatchObject({ points: found.length, vectors: found.length });
    });

    it('goes on after a restart with the first batch that is not in the ledger', async () => {
      const held = heldAt(3);
      const { id, jobId } = mine.accepted(await mine.upload(LONG, 'log.md'));
      await held.reached;
      expect(await points(id)).toHaveLength(2 * BATCH);
      const checkpoint = await client().query<{ checkpoint: { recorded: number; published: number } }>(
        sql`SELECT checkpoint FROM jobs WHERE id = ${jobId}`,
      );
      expect(checkpoint[0]?.checkpoint).toMatchObject({ recorded: 2 * BATCH, published: BATCH });
      await api.restart();
      const inputs = embedded();
      const events = await mine.events(jobId);
      expect(events.map((event) => event.id)).toEqual(events.map((_, index) => index + 1));
      expect(events.at(-1)).toMatchObject({ event: 'done' });
      const found = await points(id);
      expect(inputs.length).toBeLessThanOrEqual(found.length - 2 * BATCH);
      expect(await mine.remains()).toMatchObject({ documents: 1, points: found.length, vectors: found.length });
      expect((await mine.get(id)).status).toBe('ready');
    });

    it('goes on where a worker that vanished had come to: no text of a committed batch is embedded again', async () => {
      const inputs: string[] = [];
      const held = heldAt(3, inputs);
      const { id, jobId } = mine.accepted(await mine.upload(LONG, 'log.md'));
      await held.reached;
      expect(await points(id)).toHaveLength(2 * BATCH);
      const before = inputs.length;
      // Another attempt takes the lease once it is over, which a heartbeat of the old one may put off; what the old one still does is refused.
      await until(async () => {
        await client().query(sql`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = ${jobId}::uuid AND attempt = 1`);
        return (await client().query(sql`SELECT FROM jobs WHERE id = ${jobId}::uuid AND attempt = 2`)).length > 0;
      });
      const events = await mine.events(jobId);
      expect(events.filter((event) => ['reset', 'started'].includes(event.event)).map((event) => event.data)).toEqual([
        { attempt: 1 },
        { attempt: 2, reason: 'The worker stopped.' },
        { attempt: 2 },
      ]);
      expect(events.at(-1)).toMatchObject({ event: 'done' });
      const found = await points(id);
      const committed = new Set(inputs.slice(0, 2 * BATCH));
      expect([before, committed.size]).toEqual([2 * BATCH, 2 * BATCH]);
      expect(inputs.slice(before).filter((text) => committed.has(text))).toEqual([]);
      expect(new Set(inputs).size).toBe(found.length);
      expect(await mine.remains()).toMatchObject({ documents: 1, points: found.length, vectors: found.length });
    });

    it('shows nothing before it is whole, and leaves nothing when it is cancelled', async () => {
      const held = heldAt(4);
      const { id, jobId } = mine.accepted(await mine.upload(LONG, 'log.md'));
      await held.reached;
      expect(await mine.get(id)).toMatchObject({ status: 'ingesting', chunks: 0 });
      const collections = await get(Collections).resolve(me.workspaceId, ['default']);
      const account = { workspaceId: me.workspaceId, userId: me.userId, apiKeyId: null, jobId: null };
      const search = () =>
        get(Search).search({ collections, query: 'keeper of light', limit: 5, signal: new AbortController().signal, account });
      expect(await search()).toEqual([]);
      expect(await get(Search).overviews(collections, 5)).toEqual([]);
      expect((await api.get(`/api/v1/documents/${id}/text`, me.accessToken)).status).toBe(409);
      expect((await api.post(`/api/v1/jobs/${jobId}/cancel`, undefined, me.accessToken)).status).toBe(200);
      expect(await mine.get(id)).toMatchObject({ status: 'failed', error: { code: 'cancelled', retryable: false } });
      const remains = await mine.settled((now) => now.points === 0 && now.vectors === 0 && now.blobs.length === 1);
      expect(remains).toEqual({ documents: 1, points: 0, vectors: 0, blobs: [`documents/${id}/1`] });
      const retried = await api.post(`/api/v1/jobs/${jobId}/retry`, undefined, me.accessToken);
      expect([retried.status, retried.json.retry_of]).toEqual([202, jobId]);
      expect((await mine.events(String(retried.json.id))).at(-1)).toMatchObject({ event: 'done', data: { document_id: id } });
      expect(await mine.get(id)).toMatchObject({ status: 'ready', error: null });
      expect((await search()).length).toBe(5);
      expect((await api.post(`/api/v1/jobs/${jobId}/retry`, undefined, me.accessToken)).status).toBe(409);
    });

    it('leaves nothing when it is deleted while it is read', async () => {
      const held = heldAt(3);
      const { id, jobId } = mine.accepted(await mine.upload(LONG, 'log.md'));
      await held.reached;
      expect((await api.delete(`/api/v1/documents/${id}`, me.accessToken)).status).toBe(204);
      expect((await mine.events(jobId)).at(-1)).toMatchObject({ event: 'cancelled' });
      expect(await mine.settled((now) => now.points === 0 && now.vectors === 0 && now.blobs.length === 0)).toEqual(NOTHING);
    });

    it('tries the same bytes again after a failure, under the same id', async () => {
      const models = get(Models);
      const failing = jest.spyOn(models, 'embed').mockRejectedValue(new AppError('unprocessable', 'The model refuses.'));
      const { id, jobId } = mine.accepted(await mine.upload(LONG, 'log.md'));
      expect((await mine.events(jobId)).at(-1)).toMatchObject({ event: 'error', data: { code: 'unprocessable', retryable: false } });
      expect(await mine.get(id)).toMatchObject({ status: 'failed', error: { code: 'unprocessable', message: 'The model refuses.' } });
      expect((await mine.settled((now) => now.blobs.length === 1)).blobs).toEqual([`documents/${id}/1`]);
      failing.mockRestore();
      const answers = await Promise.all(Array.from({ length: 10 }, () => mine.upload(LONG, 'log.md')));
      const retried = answers.filter((answer) => answer.status === 202);
      expect(retried).toHaveLength(1);
      expect(answers.filter((answer) => answer.status === 200)).toHaveLength(9);
      const document = await mine.ready(retried[0]!);
      expect(document.id).toBe(id);
      expect((await mine.remains()).blobs).toEqual([`documents/${id}/1`, `texts/${id}/2`]);
    });

    it('sweeps at the start what a crash left, and only that', async () => {
      const { id } = await mine.ready(await mine.upload('One sentence to keep.'));
      const blobs = get(Blobs);
      // A blob without a row is younger than the start of other processes only where there may be others.
      const orphan = v7({ msecs: Date.now() - 7_200_000 });
      await blobs.put(`documents/${orphan}/1`, Buffer.from('x'));
      await blobs.put(`texts/${orphan}/1`, Buffer.from('x'));
      await blobs.put(`texts/${id}/7`, Buffer.from('x'));
      await client()
        .query(sql`INSERT INTO points (collection_id, id, physical_id, space_id, workspace_id, owner_id, document_id, document_version, kind, ordinal, vector, vector_sha256)
        SELECT collection_id, 'left', ${v7()}, space_id, workspace_id, owner_id, ${v7()}, 1, kind, 0, vector, vector_sha256 FROM points WHERE kind = 'chunk' LIMIT 1`);
      const fresh = v7();
      await blobs.put(`documents/${fresh}/1`, Buffer.from('x'));
      await api.restart();
      await get(DocumentSweep).idle();
      const remains = await mine.remains();
      expect(remains).toMatchObject({ documents: 1, points: 2, vectors: 2 });
      // Another process may be about to write its row, unless the database has none.
      expect(remains.blobs.filter((key) => !key.includes(fresh))).toEqual([`documents/${id}/1`, `texts/${id}/1`]);
      expect(remains.blobs.some((key) => key.includes(fresh))).toBe(kind === 'postgres');
    });
  });

  describe('on a full disk', () => {
    let api: TestApi;
    let mine: DocumentsOf;
    const mount = mkdtempSync(join(tmpdir(), 'sutazai-disk-'));
    const possible = smallDisk(mount, 4_096);
    possible?.remove();
    rmSync(mount, { recursive: true });
    const onDisk = onSmallDisk(possible !== undefined);

    beforeAll(async () => {
      api = await startApi({ database: 'embedded' });
      mine = new DocumentsOf(api, await api.register());
    });
    afterAll(() => api.close());

    onDisk('says storage_full and keeps nothing half written', async () => {
      const text = `${'Words upon words for a small disk. '.repeat(20_000)}`;
      const disk = smallDisk(join(api.directory.path, 'blobs'), Math.round(text.length * 1.5));
      expect(disk).toBeDefined();
      try {
        const refused = await mine.upload(`${text}${text}`);
        expect([refused.status, refused.json.code]).toEqual([507, 'storage_full']);
        expect(await mine.remains()).toEqual(NOTHING);
        const { id, jobId } = mine.accepted(await mine.upload(text));
        expect((await mine.events(jobId)).at(-1)).toMatchObject({ event: 'error', data: { code: 'storage_full', retryable: false } });
        expect(await mine.get(id)).toMatchObject({ status: 'failed', error: { code: 'storage_full' } });
        expect(await mine.settled((now) => now.blobs.length === 1)).toEqual({
          documents: 1,
          points: 0,
          vectors: 0,
          blobs: [`documents/${id}/1`],
        });
      } finally {
        disk?.remove();
      }
    });
  });

  it('says which command gets a missing model', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'sutazai-models-'));
    const api = await startApi({ database: 'embedded', env: { MODELS_DIR: empty } });
    try {
      const mine = new DocumentsOf(api, await api.register());
      const { id, jobId } = mine.accepted(await mine.upload('A text without a model.'));
      expect((await mine.events(jobId)).at(-1)).toMatchObject({ event: 'error', data: { code: 'unavailable' } });
      expect((await mine.get(id)).error?.message).toContain('npm run models');
    } finally {
      await api.close();
      rmSync(empty, { recursive: true });
    }
  });
});
