export { RabbitmqClient } from './rabbitmq.client';
export { RabbitmqHealth } from './rabbitmq.health';
export { RabbitmqModule } from './rabbitmq.module';
export { DEAD_QUEUE, queueOf } from './rabbitmq.topology';
export { RabbitmqTransport } from './rabbitmq.transport';
