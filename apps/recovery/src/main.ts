import { DirectoryError } from '@backing/data-directory';
import { ConfigError, parseConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { recover } from './recover';

/** Exit codes of sysexits.h: wrong use, wrong input, a service that cannot be had. */
const USAGE = 64;
const NO_USER = 67;
const UNAVAILABLE = 69;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main([email, ...rest]: string[]): Promise<number> {
  if (email === undefined || rest.length > 0) {
    say('Use: npm run admin:reset -- EMAIL.');
    return USAGE;
  }
  const { token, expiresAt } = await recover(email, parseConfig());
  say(`Good once, until ${expiresAt.toISOString()}: POST it to /api/v1/auth/accept as { "reset_token": …, "password": … }.`);
  process.stdout.write(`${token}\n`);
  return 0;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (error instanceof ConfigError || error instanceof DirectoryError) {
      say(error.message);
      process.exit(error.exitCode);
    }
    if (!(error instanceof AppError)) throw error;
    say(error.message);
    process.exit(error.code === 'not_found' || error.code === 'invalid' ? NO_USER : UNAVAILABLE);
  },
);
