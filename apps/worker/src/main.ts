import { join } from 'node:path';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import { ConsulRegistration } from '@backing/consul';
import { DataDirectory } from '@backing/data-directory';
import { MetricsServer } from '@backing/prometheus';
import { RabbitmqTransport } from '@backing/rabbitmq';
import { Readiness } from '@features/health';
import { faultOf, Shutdown } from '@features/lifecycle';
import { type AppConfig, parseConfig, releaseVersion } from '@kernel/config';
import { AppLog } from '@kernel/log';
import { WorkerModule } from './worker.module';

/** Starts a worker in this process: it takes jobs from RabbitMQ until a signal ends it. Several may run beside each other. */
async function main(): Promise<void> {
  const config = parseConfig(undefined, 'worker');
  const log = new AppLog(config.logLevel);
  const directory = DataDirectory.openOneOf(join(config.directory, 'workers'), 'worker', releaseVersion());
  try {
    const app = await createWorker(config, directory, log);
    new Shutdown(app, directory, log).listen();
    await app.listen().catch(async (error: unknown) => {
      await app.close();
      throw error;
    });
    const port = app.get(MetricsServer).port;
    app.get(ConsulRegistration, { strict: false }).begin({ port, healthy: () => app.get(Readiness, { strict: false }).ready() });
    process.stdout.write(`SutazAI Platform ${releaseVersion()}: a worker is ready (metrics and probes on port ${port}).\n`);
  } catch (error) {
    directory.close();
    throw error;
  }
}

function createWorker(config: AppConfig, directory: DataDirectory, log: AppLog): Promise<INestMicroservice> {
  const transport: AsyncMicroserviceOptions = {
    inject: [RabbitmqTransport],
    useFactory: (strategy: RabbitmqTransport) => ({ strategy }),
  };
  return NestFactory.createMicroservice(WorkerModule.over(config, directory), { ...transport, logger: log, abortOnError: false });
}

main().catch((error: unknown) => {
  const { text, exitCode } = faultOf(error);
  process.stderr.write(`${text}\n`);
  process.exit(exitCode);
});
