import { type DynamicModule, Module } from '@nestjs/common';
import { DataDirectory } from '@backing/data-directory';
import { PostgresModule } from '@backing/postgres';
import { PrometheusModule } from '@backing/prometheus';
import { AdaptersModule } from '@features/adapters';
import { AuthModule } from '@features/auth';
import { UsageModule } from '@features/usage';
import { AppConfig } from '@kernel/config';
import { AgentsApiModule } from './agents/agents-api.module';
import { AuditApiModule } from './audit/audit-api.module';
import { AuthApiModule } from './auth/auth-api.module';
import { ChatApiModule } from './chat/chat-api.module';
import { JobsApiModule } from './jobs/jobs-api.module';
import { DocsApiModule } from './docs/docs-api.module';
import { DocumentsApiModule } from './documents/documents-api.module';
import { HealthApiModule } from './health/health-api.module';
import { BodyDeadline } from './http/body-deadline';
import { OpenAnswers } from './http/open-answers.service';
import { RequestGuard } from './http/request.guard';
import { RouteTable } from './http/route-table';
import { IdempotencyApiModule } from './idempotency/idempotency-api.module';
import { MetricsApiModule } from './metrics/metrics-api.module';
import { VectorsApiModule } from './vectors/vectors-api.module';
import { ModelsApiModule } from './models/models-api.module';
import { OpenAiApiModule } from './openai/openai-api.module';
import { UsageApiModule } from './usage/usage-api.module';
import { UsersApiModule } from './users/users-api.module';
import { WorkspacesApiModule } from './workspaces/workspaces-api.module';

/** The whole product in one process: every feature and its HTTP edge over the adapters that the settings name. */
@Module({
  imports: [
    PostgresModule,
    AdaptersModule,
    PrometheusModule,
    AuthModule,
    UsageModule,
    HealthApiModule,
    DocsApiModule,
    IdempotencyApiModule,
    MetricsApiModule,
    AuthApiModule,
    WorkspacesApiModule,
    UsersApiModule,
    AuditApiModule,
    ModelsApiModule,
    UsageApiModule,
    JobsApiModule,
    DocumentsApiModule,
    VectorsApiModule,
    ChatApiModule,
    AgentsApiModule,
    OpenAiApiModule,
  ],
  providers: [OpenAnswers, RequestGuard, RouteTable, BodyDeadline],
})
export class ApiModule {
  /** The settings and the locked data directory are the only things that come from outside the container. */
  static over(config: AppConfig, directory: DataDirectory): DynamicModule {
    return {
      module: ApiModule,
      global: true,
      providers: [
        { provide: AppConfig, useValue: config },
        { provide: DataDirectory, useValue: directory },
      ],
      exports: [AppConfig, DataDirectory],
    };
  }
}
