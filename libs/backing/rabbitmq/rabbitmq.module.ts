import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { AppConfig } from '@kernel/config';
import { RabbitmqClient } from './rabbitmq.client';
import { RabbitmqHealth } from './rabbitmq.health';
import { RabbitmqTransport } from './rabbitmq.transport';

/** RabbitMQ: carries job messages between processes. */
@Module({
  imports: [TerminusModule],
  providers: [
    { provide: RabbitmqClient, inject: [AppConfig], useFactory: ({ rabbitmq }: AppConfig) => new RabbitmqClient(rabbitmq.url) },
    { provide: RabbitmqTransport, inject: [RabbitmqClient], useFactory: (client: RabbitmqClient) => new RabbitmqTransport(client) },
    RabbitmqHealth,
  ],
  exports: [RabbitmqClient, RabbitmqHealth, RabbitmqTransport],
})
export class RabbitmqModule {}
