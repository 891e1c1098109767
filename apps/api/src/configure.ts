import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { DataDirectory } from '@backing/data-directory';
import { Readiness } from '@features/health';
import type { AppConfig } from '@kernel/config';
import type { AppLog } from '@kernel/log';
import { ApiModule } from './api.module';
import { DocsPages } from './docs/docs.service';
import { openApiDocument } from './docs/openapi-document';
import { httpAdapter } from './http/http.adapter';
import { registerHooks } from './http/hooks';
import { leaveConnections } from './http/leave-connections';
import { ProblemFilter } from './http/problem.filter';
import { RouteTable } from './http/route-table';
import { closeSilentConnections } from './http/silent-connections';
import { ValidationPipe } from './http/validation.pipe';
import { bindJobTransport } from './jobs/bind-transport';
import { sealPrototypes } from './sealed-prototypes';

/** The application, initialised and ready to listen; `main.ts` and every test run this one. */
export async function createApp(config: AppConfig, directory: DataDirectory, log: AppLog): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(ApiModule.over(config, directory), httpAdapter(config), {
    logger: log,
    bodyParser: false,
    abortOnError: false,
  });
  try {
    return await configure(app, config, log);
  } catch (error) {
    // What was opened on the way is closed in order; the first error is the one to report.
    await app.close().catch(() => undefined);
    throw error;
  }
}

async function configure(app: NestFastifyApplication, config: AppConfig, log: AppLog): Promise<NestFastifyApplication> {
  const instance = app.getHttpAdapter().getInstance();
  const table = app.get(RouteTable);
  table.watch(instance);
  registerHooks(app, config, log);
  leaveConnections(instance, app.get(Readiness, { strict: false }));
  closeSilentConnections(instance.server, (close) => instance.addHook('preClose', async () => close()));
  app.useGlobalPipes(new ValidationPipe());
  app.useGlobalFilters(new ProblemFilter());
  await app.init();
  await bindJobTransport(app);
  table.refuseOtherMethods(instance);
  app.get(DocsPages).use(() => openApiDocument(app));
  sealPrototypes();
  return app;
}
