import { Module } from '@nestjs/common';
import { OllamaModule } from '@backing/ollama';
import { AuditModule } from '@features/audit';
import { DeclaredJobs, JobsModule } from '@features/jobs';
import { ModelsModule } from '../models.module';
import { ModelPulls } from './model-pulls.service';
import { ModelRemoval } from './model-removal.service';
import { pullModel } from './models.jobs';
import { PullHandler } from './pull.handler';
import { PullsRepository } from './pulls.repository';

/** Models come and go: pulls as jobs, and removal. */
@Module({
  imports: [AuditModule, JobsModule, ModelsModule, OllamaModule],
  providers: [
    { provide: DeclaredJobs, useFactory: () => new DeclaredJobs(pullModel) },
    ModelPulls,
    ModelRemoval,
    PullHandler,
    PullsRepository,
  ],
  exports: [ModelPulls, ModelRemoval],
})
export class ModelPullsModule {}
