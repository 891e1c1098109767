import { Global, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { AppConfig } from '@kernel/config';
import { PostgresBlobs } from './blobs.store';
import { PostgresClient } from './postgres.client';
import { PostgresGraph } from './postgres.graph';
import { PostgresHealth } from './postgres.health';
import { PostgresListener } from './postgres.listener';
import { openSource } from './postgres.source';
import { PgvectorStore } from './postgres.store';

/** PostgreSQL: the source of truth, full text and the `pgvector` store, real (`DATABASE_URL`) or embedded. */
@Global()
@Module({
  imports: [TerminusModule],
  providers: [
    {
      provide: PostgresClient,
      inject: [AppConfig],
      useFactory: async (config: AppConfig) => {
        const { source, embedded } = await openSource(config);
        return new PostgresClient(source, embedded);
      },
    },
    {
      provide: PostgresListener,
      inject: [AppConfig, PostgresClient],
      useFactory: ({ database }: AppConfig, client: PostgresClient) => new PostgresListener(database.url, client),
    },
    PostgresBlobs,
    PostgresGraph,
    PostgresHealth,
    PgvectorStore,
  ],
  exports: [PostgresBlobs, PostgresClient, PostgresGraph, PostgresHealth, PostgresListener, PgvectorStore],
})
export class PostgresModule {}
