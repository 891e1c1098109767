import { NestFactory } from '@nestjs/core';
import { DataDirectory } from '@backing/data-directory';
import { ResetTokens, type IssuedReset } from '@features/auth';
import { type AppConfig, releaseVersion } from '@kernel/config';
import { RecoveryModule } from './recovery.module';

/**
 * Makes a password reset for the person with this e-mail, with the rights of whoever may read the database. An embedded database must not be in use;
 * a server's may. Errors: `DirectoryError` (in use), `not_found`, `invalid`, `unavailable`.
 */
export async function recover(email: string, config: AppConfig): Promise<IssuedReset> {
  const directory = config.database.url === undefined ? DataDirectory.open(config.directory, releaseVersion()) : undefined;
  try {
    const app = await NestFactory.createApplicationContext(RecoveryModule.over(config), { logger: false, abortOnError: false });
    try {
      return await app.get(ResetTokens, { strict: false }).issueHere(email);
    } finally {
      await app.close();
    }
  } finally {
    directory?.close();
  }
}
