import { Module } from '@nestjs/common';
import { PrometheusModule } from '@backing/prometheus';
import { JobsModule } from '@features/jobs';
import { JobStream } from './job-stream.service';
import { JobsConsumer } from './jobs.consumer';
import { JobsController } from './jobs.controller';
import { StreamTiming } from './stream-timing.entity';

/** The HTTP edge of jobs, and their consumer where they run in this process. */
@Module({
  imports: [JobsModule, PrometheusModule],
  controllers: [JobsController, JobsConsumer],
  providers: [JobStream, StreamTiming],
  exports: [JobStream],
})
export class JobsApiModule {}
