import { Module } from '@nestjs/common';
import { AuditModule } from '@features/audit';
import { JobsModule } from '@features/jobs';
import { DeadLettersController } from './dead-letters.controller';
import { JobStream } from './job-stream.service';
import { JobsConsumer } from './jobs.consumer';
import { JobsController } from './jobs.controller';

/** The HTTP edge of jobs, and their consumer where they run in this process. */
@Module({
  imports: [AuditModule, JobsModule],
  controllers: [DeadLettersController, JobsController, JobsConsumer],
  providers: [JobStream],
  exports: [JobStream],
})
export class JobsApiModule {}
