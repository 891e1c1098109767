import { Module } from '@nestjs/common';
import { PrometheusModule } from '@backing/prometheus';
import { AuditModule } from '@features/audit';
import { JobsModule } from '@features/jobs';
import { DeadLettersController } from './dead-letters.controller';
import { JobStream } from './job-stream.service';
import { JobsConsumer } from './jobs.consumer';
import { JobsController } from './jobs.controller';
import { StreamTiming } from './stream-timing.entity';

/** The HTTP edge of jobs, and their consumer where they run in this process. */
@Module({
  imports: [AuditModule, JobsModule, PrometheusModule],
  controllers: [DeadLettersController, JobsController, JobsConsumer],
  providers: [JobStream, StreamTiming],
  exports: [JobStream],
})
export class JobsApiModule {}
