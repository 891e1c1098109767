import { Module } from '@nestjs/common';
import { JobsModule } from '@features/jobs';
import { JobStream } from './job-stream.service';
import { JobsConsumer } from './jobs.consumer';
import { JobsController } from './jobs.controller';

/** The HTTP edge of jobs, and their consumer where they run in this process. */
@Module({
  imports: [JobsModule],
  controllers: [JobsController, JobsConsumer],
  providers: [JobStream],
  exports: [JobStream],
})
export class JobsApiModule {}
