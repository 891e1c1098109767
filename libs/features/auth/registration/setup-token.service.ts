import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { addressBucket } from '../people/address-bucket';
import { Attempts } from '../people/attempts.service';
import { newSecret, secretHash } from '../logins/secret-token';
import { SetupTokenRepository } from './setup-token.repository';

const WRONG_PER_MINUTE = 10;

/** The one-time token of a database, with which the first user may register from elsewhere: `SETUP_TOKEN`, or made once. Kept as a hash. */
@Injectable()
export class SetupToken {
  constructor(
    private readonly config: AppConfig,
    private readonly stored: SetupTokenRepository,
    private readonly attempts: Attempts,
  ) {}

  /** Makes the database have a token. Answers it only to the caller that made it, who must show it: it cannot be read again. */
  async prepare(): Promise<string | undefined> {
    const given = this.config.auth.setupToken;
    if (given !== undefined) {
      await this.stored.replace(secretHash(given));
      return undefined;
    }
    const made = newSecret('setup-');
    return (await this.stored.insert(secretHash(made))) ? made : undefined;
  }

  /** Errors: `forbidden` (wrong or used up), `rate_limited` after ten wrong ones in a minute from one address. */
  async check(token: string, address: string): Promise<void> {
    const expected = await this.stored.findHash();
    const key = `setup ${addressBucket(address)}`;
    await this.attempts.take(key, WRONG_PER_MINUTE, 60);
    if (expected === undefined || !timingSafeEqual(expected, secretHash(token)))
      throw new AppError('forbidden', 'setup_token is not the setup token of this server.');
    await this.attempts.giveBack(key);
  }

  /** To be called in the transaction that makes the first user. */
  async useUp(connection: Queryable): Promise<void> {
    await this.stored.remove(connection);
  }
}
