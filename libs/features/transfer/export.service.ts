import { PortableTables, PostgresClient, sql, type PortableTable, type Queryable } from '@backing/postgres';
import { BLOB_KINDS, Blobs } from '@kernel/blobs';
import { releaseVersion } from '@kernel/config';
import { ArchiveWriter } from './archive-writer.store';
import type { Manifest } from './manifest.schema';
import { OWN_TABLES, type TransferOptions } from './transfer-options';

/**
 * Writes everything that a database and its blobs hold into an archive: the tables as of one moment, row by row in the order of their keys, with
 * counts and checksums. Stopped or failed, it leaves nothing behind. Errors: `conflict` (the folder holds something), those of database and disk.
 */
export class Export {
  private readonly tables = new PortableTables();

  constructor(
    private readonly client: PostgresClient,
    private readonly blobs: Blobs,
  ) {}

  async run(folder: string, options: TransferOptions): Promise<Manifest> {
    const archive = await ArchiveWriter.create(folder);
    try {
      // One transaction for the whole, although it waits for files: it only reads, and all tables must be of one moment.
      const database = await this.client.transaction((connection) => this.writeTables(connection, archive, options));
      const blobs = await this.writeBlobs(archive, options);
      const manifest: Manifest = {
        format: 'sutazai-archive',
        version: 1,
        release: releaseVersion(),
        created_at: new Date().toISOString(),
        ...database,
        blobs,
      };
      options.signal.throwIfAborted();
      await archive.finish(manifest);
      return manifest;
    } catch (error) {
      await archive.discard();
      throw error;
    }
  }

  private async writeTables(
    connection: Queryable,
    archive: ArchiveWriter,
    options: TransferOptions,
  ): Promise<Pick<Manifest, 'migrations' | 'tables' | 'sequences'>> {
    await connection.query(sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`);
    await this.tables.settle(connection);
    const tables: Manifest['tables'] = {};
    for (const table of await this.tables.list(connection, OWN_TABLES)) {
      const sum = await archive.table(table.name, this.lines(connection, table, options.signal));
      tables[table.name] = { columns: table.columns.map(({ name }) => name), ...sum };
      options.say(`${table.name}: ${sum.rows} rows`);
    }
    return { migrations: await this.tables.migrations(connection), tables, sequences: await this.tables.sequences(connection) };
  }

  private async *lines(connection: Queryable, table: PortableTable, signal: AbortSignal): AsyncGenerator<string> {
    for await (const rows of this.tables.rows(connection, table)) {
      signal.throwIfAborted();
      for (const row of rows) yield JSON.stringify(row);
    }
  }

  private async writeBlobs(archive: ArchiveWriter, options: TransferOptions): Promise<Manifest['blobs']> {
    let total = 0;
    const { blobs } = this;
    const lines = async function* (): AsyncGenerator<string> {
      for (const kind of BLOB_KINDS) {
        for (const key of await blobs.keys(`${kind}/`)) {
          options.signal.throwIfAborted();
          const { bytes, sha256 } = await archive.blob(key, await blobs.open(key));
          total += bytes;
          yield JSON.stringify([key, bytes, sha256]);
        }
      }
    };
    const { rows, sha256 } = await archive.blobIndex(lines());
    options.say(`blobs: ${rows} with ${total} bytes`);
    return { count: rows, bytes: total, sha256 };
  }
}
