import { totalmem } from 'node:os';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DataDirectory, DirectoryError } from '@backing/data-directory';
import { strongerModel } from '@features/models';
import { type AppConfig, ConfigError, parseConfig, releaseVersion } from '@kernel/config';
import { AppLog } from '@kernel/log';
import { Setup } from './auth/setup.service';
import { banner } from './banner';
import { createApp } from './configure';
import { Shutdown } from './shutdown';

/** Starts the server in this process; it ends by a signal. */
async function main(): Promise<void> {
  const config = parseConfig();
  const log = new AppLog(config.logLevel);
  const directory = DataDirectory.open(config.directory, releaseVersion());
  try {
    const app = await createApp(config, directory, log);
    new Shutdown(app, directory, log).listen();
    await app.listen(config.http.port, config.http.host);
    process.stdout.write(welcome(app, config));
  } catch (error) {
    directory.close();
    throw error;
  }
}

function welcome(app: NestFastifyApplication, config: AppConfig): string {
  const address = app.getHttpServer().address();
  const port = typeof address === 'object' && address !== null ? address.port : config.http.port;
  return banner({
    // PORT=0 lets the system choose.
    url: config.http.port === 0 ? config.http.publicUrl.replace(/:0$/, `:${port}`) : config.http.publicUrl,
    version: releaseVersion(),
    firstStart: app.get(Setup, { strict: false }).firstStart,
    totalMemory: totalmem(),
    strongerModel: strongerModel(totalmem()),
    chatModel: config.models.chat,
  });
}

main().catch((error: unknown) => {
  const expected = error instanceof ConfigError || error instanceof DirectoryError;
  process.stderr.write(`${expected ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(expected ? error.exitCode : 1);
});
