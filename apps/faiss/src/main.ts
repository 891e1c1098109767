import { DirectoryError } from '@backing/data-directory';
import { BindingError } from '@backing/faiss';
import { type AppConfig, ConfigError, oneNativeThread, parseConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { AppLog } from '@kernel/log';
import { FaissProcess } from './faiss-process';

/** Exit codes of sysexits.h: an address or something else that the start needs cannot be had; a missing native part. */
const UNAVAILABLE = 69;
const CONFIGURATION = 78;

/**
 * The FAISS service: on HOST and PORT, or, as the child of a process that needs it (`--socket PATH`), on a socket file and for as long as
 * its parent lives.
 */
async function main(args: string[]): Promise<void> {
  const socket = args[0] === '--socket' ? args[1] : undefined;
  const config = parseConfig(undefined, 'faiss');
  oneNativeThread();
  const log = new AppLog(config.logLevel);
  const service = await FaissProcess.start(config, log, socket);
  if (socket === undefined) process.stdout.write(`FAISS service on ${addressOf(config, service.port)}\n`);
  else process.send?.({ ready: true });
}

function addressOf({ http }: AppConfig, port: number | undefined): string {
  return http.publicUrl.replace(/:0$/, `:${port}`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const wrong = error instanceof ConfigError || error instanceof DirectoryError;
  const expected = wrong || error instanceof AppError || error instanceof BindingError;
  const sentence = expected ? error.message : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`${sentence}\n`);
  const code = wrong ? error.exitCode : error instanceof BindingError ? CONFIGURATION : expected ? UNAVAILABLE : 1;
  // The parent tells its callers why.
  if (expected && process.send !== undefined) process.send({ fault: sentence }, () => process.exit(code));
  else process.exit(code);
});
