import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DataDirectory } from '@backing/data-directory';
import { MemoryAttempts, MemoryFanout } from '@backing/memory';
import { PostgresClient, sql, type Queryable } from '@backing/postgres';
import { AuthModule } from '@features/auth';
import { Collections, VectorsModule } from '@features/vectors';
import { AppConfig } from '@kernel/config';
import { Fanout } from '@kernel/fanout';
import { AttemptCounts } from '@kernel/limits';
import { v7 } from 'uuid';
import { openDatabase, type DatabaseKind } from './databases';

export const PASSWORD = 'correct horse battery staple';
export const HERE = { address: '127.0.0.1', local: true };
export const ELSEWHERE = { address: '192.0.2.7', local: false };

/** The row that registration makes in the vectors feature, without what else that feature needs. */
const collections = {
  createDefault: async (connection: Queryable, workspaceId: string, ownerId: string): Promise<void> => {
    await connection.query(
      sql`INSERT INTO collections (id, workspace_id, owner_id, name) VALUES (${v7()}::uuid, ${workspaceId}::uuid, ${ownerId}::uuid, 'default')`,
    );
  },
};

/** The auth feature over a new database. `process()` opens one more process's worth of it on the same database. */
export async function openIdentity(kind: DatabaseKind, pool?: { size: number; overflow: number }) {
  const database = await openDatabase(kind, pool);
  const directory = DataDirectory.open(database.directory, '0.1.0');
  const closing: (() => Promise<void>)[] = [];
  const process = async (auth: Partial<AppConfig['auth']> = {}) => {
    const config = { auth: { registration: 'closed', ...auth } };
    @Global()
    @Module({
      providers: [
        { provide: AppConfig, useValue: config },
        { provide: DataDirectory, useValue: directory },
        { provide: AttemptCounts, useClass: MemoryAttempts },
        { provide: Fanout, useClass: MemoryFanout },
        { provide: PostgresClient, useValue: borrowed(database.client) },
      ],
      exports: [AppConfig, AttemptCounts, DataDirectory, Fanout, PostgresClient],
    })
    class GroundModule {}
    @Module({ providers: [{ provide: Collections, useValue: collections }], exports: [Collections] })
    class CollectionsModule {}
    const module = await Test.createTestingModule({ imports: [GroundModule, AuthModule] })
      .overrideModule(VectorsModule)
      .useModule(CollectionsModule)
      .compile();
    await module.init();
    closing.push(() => module.close());
    return module;
  };
  const close = async (): Promise<void> => {
    for (const end of closing) await end();
    directory.close();
    await database.close();
  };
  return { database: database.client, process, close };
}

/** The client without its end: it outlives the modules that use it. */
function borrowed(client: PostgresClient): Pick<PostgresClient, 'afterCommit' | 'beforehand' | 'query' | 'transaction'> {
  return {
    afterCommit: (work) => client.afterCommit(work),
    beforehand: (work) => client.beforehand(work),
    query: (statement) => client.query(statement),
    transaction: (work) => client.transaction(work),
  };
}
