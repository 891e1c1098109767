import type { INestApplication } from '@nestjs/common';
import { InProcessTransport } from '@backing/in-process';

/** Binds the jobs' consumer to the transport of this process; after `app.init()`, before or after `listen`. */
export async function bindJobTransport(app: INestApplication): Promise<void> {
  app.connectMicroservice({ strategy: app.get(InProcessTransport, { strict: false }) }, { inheritAppConfig: false });
  await app.startAllMicroservices();
}
