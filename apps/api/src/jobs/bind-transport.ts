import type { INestApplication } from '@nestjs/common';
import { InProcessTransport } from '@backing/in-process';
import { AppConfig } from '@kernel/config';

/** Binds the jobs' consumer to the transport inside this process; after `app.init()`. With RABBITMQ_URL workers of their own run the jobs. */
export async function bindJobTransport(app: INestApplication): Promise<void> {
  if (app.get(AppConfig, { strict: false }).rabbitmq.url !== undefined) return;
  app.connectMicroservice({ strategy: app.get(InProcessTransport, { strict: false }) }, { inheritAppConfig: false });
  await app.startAllMicroservices();
}
