import { resolve } from 'node:path';
import { FileBlobs } from '@backing/blobs';
import { DataDirectory } from '@backing/data-directory';
import { openSource, PostgresBlobs, PostgresClient } from '@backing/postgres';
import { Export, Import, type Manifest, type TransferOptions } from '@features/transfer';
import type { Blobs } from '@kernel/blobs';
import { type AppConfig, releaseVersion } from '@kernel/config';

/** Milliseconds a statement may take: sorting or checking a whole table is one. */
const STATEMENT_DEADLINE = 3_600_000;

/**
 * Writes the database and the blobs of these settings into an archive, or fills them from one. It holds the data directory meanwhile, so that no
 * server runs on it. Errors: `DirectoryError` (in use), those of `Export` and `Import`.
 */
export async function transfer(
  direction: 'export' | 'import',
  folder: string,
  config: AppConfig,
  options: TransferOptions,
): Promise<Manifest> {
  const directory = DataDirectory.open(config.directory, releaseVersion());
  try {
    const { source, embedded } = await openSource(config, { statementMs: STATEMENT_DEADLINE });
    const client = new PostgresClient(source, embedded);
    const blobsOver = (over: PostgresClient): Blobs => (config.blobs.driver === 'files' ? new FileBlobs(config) : new PostgresBlobs(over));
    try {
      const path = resolve(folder);
      if (direction === 'export') return await new Export(client, blobsOver(client)).run(path, options);
      return await new Import(client, blobsOver).run(path, options);
    } finally {
      await client.onApplicationShutdown();
    }
  } finally {
    directory.close();
  }
}
