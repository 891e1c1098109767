import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { FileBlobs } from '@backing/blobs';
import { PostgresBlobs, sql } from '@backing/postgres';
import type { Blobs } from '@kernel/blobs';
import type { AppConfig } from '@kernel/config';
import { v7 } from 'uuid';
import { onSmallDisk, smallDisk } from '../support/small-disk';
import { countRows, describeDatabases, openDatabase, type TestDatabase } from '../support/databases';

const MIB = 1_048_576;
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const slices = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));

/** What every adapter of the port promises. */
function conformance(open: () => Blobs, leftovers: () => Promise<number>): void {
  const id = v7();
  const key = `documents/${id}/1`;

  it.each([0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 17])('keeps %i bytes exactly, given whole or in pieces', async (size) => {
    const bytes = randomBytes(size);
    for (const content of [bytes, Readable.from(slices(bytes, 70_001))]) {
      expect(await open().put(key, content)).toEqual({ bytes: size, sha256: sha256(bytes) });
      expect((await open().get(key)).equals(bytes)).toBe(true);
    }
  });

  it('replaces whole, lists by prefix and deletes', async () => {
    const other = `texts/${id}/2`;
    await open().put(key, Buffer.from('one'));
    await open().put(key, Buffer.from('two'));
    await open().put(other, Buffer.from('text'));
    expect((await open().get(key)).toString()).toBe('two');
    expect(await open().keys('documents/')).toEqual([key]);
    expect(await open().keys(`texts/${id}/`)).toEqual([other]);
    expect(await open().keys(`texts/${v7()}/`)).toEqual([]);
    await open().delete(key);
    await open().delete(key);
    await expect(open().get(key)).rejects.toMatchObject({ code: 'not_found' });
    await open().delete(other);
    expect(await leftovers()).toBe(0);
  });

  it('refuses what is too large while it arrives, and leaves nothing', async () => {
    let taken = 0;
    const endless = Readable.from(
      (async function* () {
        for (;;) {
          taken += MIB;
          yield randomBytes(MIB);
        }
      })(),
    );
    await expect(open().put(key, endless, { maxBytes: 2 * MIB + 5 })).rejects.toMatchObject({ code: 'too_large' });
    expect(taken).toBeLessThan(20 * MIB);
    expect(await open().keys('documents/')).toEqual([]);
    expect(await leftovers()).toBe(0);
  });

  it('keeps the old content when the new one breaks off', async () => {
    await open().put(key, Buffer.from('old'));
    const broken = Readable.from(
      (async function* () {
        yield randomBytes(2 * MIB);
        throw new Error('the client went away');
      })(),
    );
    await expect(open().put(key, broken)).rejects.toThrow('the client went away');
    expect((await open().get(key)).toString()).toBe('old');
    await open().delete(key);
    expect(await leftovers()).toBe(0);
  });

  it('takes no key that the server never makes', async () => {
    for (const bad of [
      '../../etc/passwd',
      'documents/../x/1',
      `documents/${id}/../1`,
      `Documents/${id}/1`,
      `documents/${id}`,
      `/documents/${id}/1`,
    ]) {
      await expect(open().put(bad, Buffer.from('x'))).rejects.toThrow('never makes');
      await expect(open().get(bad)).rejects.toThrow('never makes');
    }
  });
}

describe('FileBlobs', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sutazai-blobs-'));
  const blobs = new FileBlobs({ directory } as AppConfig);
  const incoming = join(directory, 'blobs', '.incoming');

  conformance(
    () => blobs,
    async () => readdirSync(incoming).length,
  );

  const small = join(directory, 'small');
  const disk = smallDisk(small, 2 * MIB);
  afterAll(() => {
    disk?.remove();
    rmSync(directory, { recursive: true, force: true });
  });
  const onDisk = onSmallDisk(disk !== undefined);

  onDisk('says storage_full on a full disk, leaves nothing and goes on when there is room', async () => {
    expect(disk).toBeDefined();
    const full = new FileBlobs({ directory: small } as AppConfig);
    const key = `documents/${v7()}/1`;
    await expect(full.put(key, Readable.from(slices(randomBytes(4 * MIB), 65_536)))).rejects.toMatchObject({ code: 'storage_full' });
    expect(await full.keys('documents/')).toEqual([]);
    expect(readdirSync(join(small, 'blobs', '.incoming'))).toEqual([]);
    await full.put(key, Buffer.alloc(MIB));
    expect(await full.keys('documents/')).toEqual([key]);
  });

  it('removes at the start what a crash left half written, and nothing that is being written', async () => {
    mkdirSync(incoming, { recursive: true });
    writeFileSync(join(incoming, 'old'), 'x');
    writeFileSync(join(incoming, 'fresh'), 'x');
    utimesSync(join(incoming, 'old'), 0, 0);
    await blobs.onApplicationBootstrap();
    expect(readdirSync(incoming)).toEqual(['fresh']);
  });
});

describeDatabases('PostgresBlobs', (kind) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase(kind);
  });
  afterAll(() => database.close());

  conformance(
    () => new PostgresBlobs(database.client),
    () => countRows(database.client, 'blob_parts'),
  );

  it('removes at the start the parts of a write that died, and nothing that is being written', async () => {
    const died = v7({ msecs: Date.now() - 7_200_000 });
    const running = v7();
    for (const id of [died, running])
      await database.client.query(sql`INSERT INTO blob_parts (content_id, part, content) VALUES (${id}, 0, 'x')`);
    await new PostgresBlobs(database.client).onApplicationBootstrap();
    const left = await database.client.query<{ content_id: string }>(sql`SELECT content_id FROM blob_parts`);
    expect(left).toEqual([{ content_id: running }]);
  });
});
