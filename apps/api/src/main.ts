import { totalmem } from 'node:os';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ConsulRegistration } from '@backing/consul';
import { DataDirectory } from '@backing/data-directory';
import { faultOf, Shutdown } from '@features/lifecycle';
import { strongerModel } from '@features/models';
import { type AppConfig, parseConfig, releaseVersion } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { AppLog } from '@kernel/log';
import { Setup } from './auth/setup.service';
import { banner } from './banner';
import { createApp } from './configure';

/** Starts the server in this process; it ends by a signal. */
async function main(): Promise<void> {
  const config = parseConfig();
  const log = new AppLog(config.logLevel);
  const directory = DataDirectory.open(config.directory, releaseVersion());
  try {
    const app = await createApp(config, directory, log);
    new Shutdown(app, directory, log).listen();
    await app.listen(config.http.port, config.http.host).catch(async (error: unknown) => {
      await app.close();
      throw error;
    });
    app.get(ConsulRegistration, { strict: false }).begin({ port: portOf(app, config), path: '/readyz' });
    process.stdout.write(welcome(app, config));
  } catch (error) {
    directory.close();
    throw listenFault(error, config) ?? error;
  }
}

function welcome(app: NestFastifyApplication, config: AppConfig): string {
  const port = portOf(app, config);
  return banner({
    url: config.http.port === 0 ? config.http.publicUrl.replace(/:0$/, `:${port}`) : config.http.publicUrl,
    version: releaseVersion(),
    firstStart: app.get(Setup, { strict: false }).firstStart,
    totalMemory: totalmem(),
    strongerModel: strongerModel(totalmem()),
    chatModel: config.models.chat,
  });
}

/** PORT=0 lets the system choose. */
function portOf(app: NestFastifyApplication, config: AppConfig): number {
  const address = app.getHttpServer().address();
  return typeof address === 'object' && address !== null ? address.port : config.http.port;
}

function listenFault(error: unknown, { http }: AppConfig): AppError | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== 'listen' && syscall !== 'bind' && syscall !== 'getaddrinfo') return undefined;
  const why = code === 'EADDRINUSE' ? 'another process listens there' : `the system says ${code}`;
  return new AppError('unavailable', `Cannot listen on port ${http.port} of ${http.host}: ${why}. Set PORT or HOST.`, { cause: error });
}

main().catch((error: unknown) => {
  const { text, exitCode } = faultOf(error);
  process.stderr.write(`${text}\n`);
  process.exit(exitCode);
});
