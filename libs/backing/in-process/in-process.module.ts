import { Module } from '@nestjs/common';
import { InProcessTransport } from './in-process.transport';

/** What serves in one process in the place of RabbitMQ. */
@Module({
  providers: [{ provide: InProcessTransport, useFactory: () => new InProcessTransport() }],
  exports: [InProcessTransport],
})
export class InProcessModule {}
