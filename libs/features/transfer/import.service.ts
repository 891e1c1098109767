import {
  clientWithin,
  PgvectorStore,
  PortableTables,
  PostgresClient,
  sql,
  type PortableRow,
  type PortableTable,
  type Queryable,
} from '@backing/postgres';
import { vectorOf } from '@features/vectors';
import { Blobs } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import type { EmbeddingSpace, StoredVector } from '@kernel/vectors';
import { ArchiveReader } from './archive-reader.store';
import { BlobCopy } from './blob-copy.service';
import { LineSum } from './line-sum';
import { OWN_TABLES, type TransferOptions } from './transfer-options';

const ROWS = 200;
/** What a server that has started once, without anybody registering, leaves in its database. */
const OF_THE_INSTANCE = new Set(['instance_secrets']);

/**
 * Fills an empty database and its blobs from an archive and proves it: counts and checksums are computed anew from the target before anything is
 * committed. The database changes in one transaction, so that a failure leaves it empty; blobs that were written go again, and what the store
 * held before stays. Errors: `conflict` (the database is not empty or of another schema, or the store holds other blobs under the archive's keys), `unprocessable` (the archive is damaged).
 */
export class Import {
  private readonly tables = new PortableTables();

  constructor(
    private readonly client: PostgresClient,
    /** The blobs over a client: rows of the same database must be part of the same transaction. */
    private readonly blobsOver: (client: PostgresClient) => Blobs,
  ) {}

  async run(folder: string, options: TransferOptions): Promise<ArchiveReader['manifest']> {
    const archive = await ArchiveReader.open(folder);
    let blobs: BlobCopy | undefined;
    try {
      // One transaction for the whole, although it waits for files: nobody else uses the database, and half of it is worth nothing.
      await this.client.transaction(async (connection) => {
        await this.tables.settle(connection);
        const tables = await this.checkedTables(connection, archive);
        blobs = new BlobCopy(archive, this.blobsOver(clientWithin(connection)), options);
        await blobs.check();
        // The others are empty, and the audit log lets nobody empty it.
        await this.tables.clear(
          connection,
          tables.filter(({ name }) => OF_THE_INSTANCE.has(name)),
        );
        await this.tables.withoutOrder(connection, () => this.fill(connection, archive, tables, options));
        await this.buildVectors(connection, options);
        await blobs.run();
        await this.prove(connection, archive, tables, options);
      });
    } catch (error) {
      await blobs?.undo();
      throw error;
    }
    return archive.manifest;
  }

  /** The tables of the target, when it is empty and of the archive's schema. */
  private async checkedTables(connection: Queryable, { manifest }: ArchiveReader): Promise<PortableTable[]> {
    const [ours, theirs] = [await this.tables.migrations(connection), manifest.migrations];
    const missing = theirs.filter((name) => !ours.includes(name));
    const extra = ours.filter((name) => !theirs.includes(name));
    if (missing.length + extra.length > 0) {
      const difference = [...missing.map((name) => `only there: ${name}`), ...extra.map((name) => `only here: ${name}`)].join(', ');
      throw new AppError(
        'conflict',
        `The archive was made by release ${manifest.release} with another schema (${difference}): use that release.`,
      );
    }
    const tables = await this.tables.list(connection, OWN_TABLES);
    for (const { name } of tables.filter((table) => !OF_THE_INSTANCE.has(table.name)))
      if (await this.tables.holds(connection, name))
        throw new AppError('conflict', `The database is not empty (${name} has rows): import into a new one.`);
    const names = tables.map(({ name }) => name).join(' ');
    if (names !== Object.keys(manifest.tables).sort().join(' '))
      throw new AppError('unprocessable', 'The archive lacks a table of its own schema.');
    for (const { name, columns } of tables)
      if (manifest.tables[name]?.columns.join(' ') !== columns.map((column) => column.name).join(' '))
        throw new AppError('unprocessable', `The archive has other columns of ${name} than its schema.`);
    return tables;
  }

  private async fill(connection: Queryable, archive: ArchiveReader, tables: PortableTable[], options: TransferOptions): Promise<void> {
    for (const table of tables) {
      const sum = new LineSum();
      let rows: PortableRow[] = [];
      const write = async (): Promise<void> => {
        options.signal.throwIfAborted();
        if (rows.length > 0) await this.tables.insert(connection, table, rows);
        rows = [];
      };
      for await (const line of archive.table(table.name)) {
        sum.take(line);
        rows.push(rowOf(line, table));
        if (rows.length === ROWS) await write();
      }
      await write();
      const { rows: count, sha256 } = sum.result();
      if (sha256 !== archive.manifest.tables[table.name]?.sha256)
        throw new AppError('unprocessable', `The archive cannot be used: the checksum of the table ${table.name} is another one.`);
      options.say(`${table.name}: ${count} rows`);
    }
    for (const [name, value] of Object.entries(archive.manifest.sequences))
      if (value !== null) await this.tables.setSequence(connection, name, value);
  }

  /** The tables of vectors, from the input vectors of the ledger; other stores are told once the server runs. */
  private async buildVectors(connection: Queryable, options: TransferOptions): Promise<void> {
    const store = new PgvectorStore(clientWithin(connection));
    const spaces = await connection.query<EmbeddingSpace>(
      sql`SELECT id, store, model, dimensions, metric, version, physical_name AS "physicalName" FROM spaces ORDER BY id`,
    );
    for (const space of spaces.filter((each) => each.store === store.name)) {
      await store.ensureSpace(space);
      let count = 0;
      for (let after = '00000000-0000-0000-0000-000000000000'; ; ) {
        options.signal.throwIfAborted();
        const rows = await connection.query<{ physicalId: string; collectionId: string; vector: Buffer }>(
          sql`SELECT physical_id AS "physicalId", collection_id AS "collectionId", vector FROM points
              WHERE space_id = ${space.id}::uuid AND physical_id > ${after}::uuid ORDER BY physical_id LIMIT ${ROWS}`,
        );
        await store.write(
          connection,
          space,
          rows.map((row): StoredVector => ({ ...row, vector: vectorOf(row.vector) })),
        );
        count += rows.length;
        const last = rows.at(-1);
        if (last === undefined || rows.length < ROWS) break;
        after = last.physicalId;
      }
      options.say(`${space.physicalName}: ${count} vectors rebuilt`);
    }
    await connection.query(
      sql`INSERT INTO store_changes (space_id, physical_id, change)
          SELECT p.space_id, p.physical_id, p.revision FROM points p JOIN spaces s ON s.id = p.space_id WHERE s.store <> ${store.name}`,
    );
  }

  private async prove(
    connection: Queryable,
    { manifest }: ArchiveReader,
    tables: PortableTable[],
    options: TransferOptions,
  ): Promise<void> {
    for (const table of tables) {
      const sum = new LineSum();
      for await (const rows of this.tables.rows(connection, table)) {
        options.signal.throwIfAborted();
        for (const row of rows) sum.take(JSON.stringify(row));
      }
      const { rows, sha256 } = sum.result();
      const wanted = manifest.tables[table.name];
      if (rows !== wanted?.rows || sha256 !== wanted.sha256)
        throw new AppError('internal', `The table ${table.name} does not read as it was written: ${rows} rows of ${wanted?.rows}.`);
    }
    const sequences = await this.tables.sequences(connection);
    if (JSON.stringify(sequences) !== JSON.stringify(manifest.sequences))
      throw new AppError('internal', 'The sequences do not stand as they stood.');
    options.say(`verified: ${tables.length} tables by count and checksum`);
  }
}

function rowOf(line: string, table: PortableTable): PortableRow {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    row = undefined;
  }
  const right =
    Array.isArray(row) && row.length === table.columns.length && row.every((value) => value === null || typeof value === 'string');
  if (!right) throw new AppError('unprocessable', `The archive cannot be used: a line of the table ${table.name} is no row.`);
  return row as PortableRow;
}
