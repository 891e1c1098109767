import { createHash } from 'node:crypto';
import { sql } from '@backing/postgres';
import { v7 } from 'uuid';
import { countRows, describeDatabases } from '../support/databases';
import { describeModels, EMBEDDING } from '../support/models';
import { TestVectors } from '../support/vectors';

describeModels('Collections and points', () => {
  describeDatabases('in the ledger', (kind) => {
    let vectors: TestVectors;
    beforeAll(async () => {
      vectors = await TestVectors.open(kind);
    });
    afterAll(() => vectors.close());

    const inStore = async (name: string): Promise<number> => {
      const collection = await vectors.collection(name);
      return collection.space === null ? 0 : vectors.store.count(collection.space, collection.id);
    };

    it('makes one default collection of a workspace, however often', async () => {
      const { workspaceId, userId } = vectors.account;
      for (let n = 0; n < 2; n += 1) await vectors.collections.createDefault(vectors.client, workspaceId, userId);
      const [made, ...others] = await vectors.collections.resolve(workspaceId, ['default', 'default']);
      expect(others).toEqual([]);
      expect(made).toMatchObject({ name: 'default', workspaceId, language: null, space: null, createdAt: expect.any(Date) });
      await expect(vectors.collections.resolve(v7(), ['default'])).rejects.toMatchObject({ code: 'not_found' });
    });

    it('gives all who are first together one space and one table', async () => {
      const model = await vectors.models.resolve('embedding');
      const collections = await Promise.all(Array.from({ length: 6 }, (_, n) => vectors.collection(`race-${n % 3}`)));
      const spaces = await Promise.all(collections.map((collection) => vectors.collections.spaceFor(collection, model)));
      expect(new Set(spaces.map((space) => space.id)).size).toBe(1);
      expect(await countRows(vectors.client, 'spaces')).toBe(1);
      expect(spaces[0]).toMatchObject({ store: 'pgvector', model: EMBEDDING, dimensions: 384, metric: 'cosine', version: 1 });
      for (const collection of collections) expect((await vectors.collection(collection.name)).space).toEqual(spaces[0]);
    });

    it('keeps the space that a collection has when the default model changes', async () => {
      const other = { ...(await vectors.models.resolve('embedding')), id: 'another-model' };
      const before = await vectors.collection('race-0');
      expect(await vectors.collections.spaceFor(before, other)).toEqual(before.space);
      expect((await vectors.collections.spaceFor(await vectors.collection('fresh'), other)).model).toBe('another-model');
    });

    it('stores the input vector as float32 little-endian with its hash, once however often it is written', async () => {
      const collection = await vectors.collection('bytes');
      const document = await vectors.add(collection, ['One passage.', 'Another passage.']);
      const rows = await vectors.client.query<{ id: string; vector: Buffer; vector_sha256: Buffer; lexemes: string }>(
        sql`SELECT id, vector, vector_sha256, lexemes::text AS lexemes FROM points WHERE document_id = ${document.id} ORDER BY ordinal`,
      );
      expect(rows.map((row) => row.id)).toEqual(document.chunks);
      const { vectors: asked } = await vectors.models.embed(
        { model: EMBEDDING, texts: ['One passage.', 'Another passage.'], input: 'document', signal: new AbortController().signal },
        vectors.account,
      );
      for (const [index, row] of rows.entries()) {
        expect(row.vector).toHaveLength(384 * 4);
        expect(row.vector_sha256).toEqual(createHash('sha256').update(row.vector).digest());
        // The same text embeds to the same direction; batching may change the last bits.
        const same = asked[index] ?? new Float32Array();
        const dot = same.reduce((sum, value, n) => sum + value * row.vector.readFloatLE(n * 4), 0);
        expect(dot).toBeGreaterThan(0.9999);
      }
      expect(rows[1]?.lexemes).toBe("'passag':2");
      const space = (await vectors.collection('bytes')).space!;
      await vectors.points.publish(space, document.chunks);
      expect(await inStore('bytes')).toBe(2);
    });

    it('sweeps what is deleted, failed or replaced, and only that', async () => {
      const collection = await vectors.collection('swept');
      const kept = await vectors.add(collection, ['Kept.']);
      const running = await vectors.add(collection, ['Still being read.'], { visible: false });
      await vectors.add(
        collection,
        Array.from({ length: 70 }, (_, n) => `Failed ${n}.`),
        { visible: false, status: 'failed' },
      );
      const gone = await vectors.add(collection, ['Deleted.']);
      await vectors.client.query(sql`DELETE FROM documents WHERE id = ${gone.id}`);
      expect(await vectors.points.sweep()).toBe(71);
      expect(await vectors.points.sweep()).toBe(0);
      const left = await vectors.client.query<{ id: string }>(sql`SELECT id FROM points WHERE collection_id = ${collection.id}`);
      expect(new Set(left.map((row) => row.id))).toEqual(new Set([...kept.chunks, ...running.chunks]));
      expect(await inStore('swept')).toBe(2);
    });
  });
});
