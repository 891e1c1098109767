import { DirectoryError } from '@backing/data-directory';
import { type AppConfig, ConfigError, parseConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { transfer } from './transfer';

/** Exit codes of sysexits.h: wrong use, a service that cannot be had. */
const USAGE = 64;
const UNAVAILABLE = 69;
const INTERRUPTED = 130;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main([direction, folder, ...rest]: string[]): Promise<number> {
  if ((direction !== 'export' && direction !== 'import') || folder === undefined || rest.length > 0) {
    say('Use: npm run data:export -- FOLDER, or npm run data:import -- FOLDER.');
    return USAGE;
  }
  const config = parseConfig();
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort(new AppError('cancelled', 'Stopped.')));
  const place = placeOf(config);
  say(direction === 'export' ? `Exporting ${place} to ${folder}` : `Importing ${folder} into ${place}`);
  try {
    const { tables, blobs } = await transfer(direction, folder, config, { signal: stop.signal, say: (line) => say(`  ${line}`) });
    const rows = Object.values(tables).reduce((sum, table) => sum + table.rows, 0);
    process.stdout.write(
      `${direction === 'export' ? 'Exported' : 'Imported'} ${rows} rows of ${Object.keys(tables).length} tables and ${blobs.count} blobs.\n`,
    );
    return 0;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    say(direction === 'export' ? 'Stopped: nothing was written.' : 'Stopped: the target is as it was.');
    return INTERRUPTED;
  }
}

/** Without user and password. */
function placeOf({ database, directory }: AppConfig): string {
  if (database.url === undefined) return `the embedded database in ${directory}`;
  const { host, pathname } = new URL(database.url);
  return `PostgreSQL at ${host}${pathname}`;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const wrong = error instanceof ConfigError || error instanceof DirectoryError;
    say(wrong || error instanceof AppError ? error.message : String(error instanceof Error ? error.stack : error));
    process.exit(wrong ? error.exitCode : error instanceof AppError ? UNAVAILABLE : 1);
  },
);
