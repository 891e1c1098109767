import { Module } from '@nestjs/common';
import { AuditModule } from '@features/audit';
import { JobsModule } from '@features/jobs';
import { ModelPullsModule, ModelsModule } from '@features/models';
import { ModelsController } from './models.controller';

/** The HTTP edge of models. */
@Module({ imports: [AuditModule, JobsModule, ModelPullsModule, ModelsModule], controllers: [ModelsController] })
export class ModelsApiModule {}
