import { type DynamicModule, Module } from '@nestjs/common';
import { DataDirectory } from '@backing/data-directory';
import { PostgresModule } from '@backing/postgres';
import { MetricsServer, Probes, PrometheusModule } from '@backing/prometheus';
import { AdaptersModule } from '@features/adapters';
import { AgentsModule } from '@features/agents';
import { ChatModule } from '@features/chat';
import { DocumentsModule } from '@features/documents';
import { HealthModule, Readiness } from '@features/health';
import { JobsModule } from '@features/jobs';
import { LineageModule } from '@features/lineage';
import { ModelPullsModule } from '@features/models';
import { UsageModule } from '@features/usage';
import { PointBatchesModule } from '@features/vectors';
import { AppConfig } from '@kernel/config';
import { JobsConsumer } from './jobs.consumer';

/** What runs jobs: the features of the API that have any, over the same adapters, without its HTTP edge. */
@Module({
  imports: [
    PostgresModule,
    AdaptersModule,
    PrometheusModule,
    UsageModule,
    HealthModule,
    JobsModule,
    DocumentsModule,
    PointBatchesModule,
    ModelPullsModule,
    ChatModule,
    AgentsModule,
    LineageModule,
  ],
  controllers: [JobsConsumer],
  providers: [MetricsServer, { provide: Probes, useExisting: Readiness }],
})
export class WorkerModule {
  /** The settings and the locked folder are the only things that come from outside the container. */
  static over(config: AppConfig, directory: DataDirectory): DynamicModule {
    return {
      module: WorkerModule,
      global: true,
      providers: [
        { provide: AppConfig, useValue: config },
        { provide: DataDirectory, useValue: directory },
      ],
      exports: [AppConfig, DataDirectory],
    };
  }
}
