import { DataDirectory, DirectoryError } from '@backing/data-directory';
import { ConfigError, parseConfig, releaseVersion } from '@kernel/config';
import { createApp } from './configure';

/** Starts the server in this process. */
async function main(): Promise<void> {
  const config = parseConfig();
  const directory = DataDirectory.open(config.directory, releaseVersion());
  const app = await createApp(config, directory);
  await app.listen(config.http.port, config.http.host);
}

main().catch((error: unknown) => {
  const expected = error instanceof ConfigError || error instanceof DirectoryError;
  process.stderr.write(`${expected ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(expected ? error.exitCode : 1);
});
