import { Global, Module } from '@nestjs/common';
import { JobTransport } from '@kernel/jobs';
import { InProcessTransport } from './in-process.transport';

/** What serves in one process in the place of RabbitMQ. */
@Global()
@Module({
  providers: [
    { provide: InProcessTransport, useFactory: () => new InProcessTransport() },
    { provide: JobTransport, useExisting: InProcessTransport },
  ],
  exports: [InProcessTransport, JobTransport],
})
export class InProcessModule {}
