import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import { Entrance } from '../logins/entrance.service';
import { secretHash } from '../logins/secret-token';
import type { SignedIn } from '../people/account';
import { Passwords } from '../people/passwords.service';
import { NewPasswords } from './new-passwords.service';
import { ResetsRepository } from './resets.repository';

/**
 * Setting a password by a reset token, and signing in with it. The hash is worked out before the token's fate shows. Errors: `invalid` naming the
 * token (wrong, used and expired alike), `forbidden` (the person is suspended or in no workspace: the token stays good).
 */
@Injectable()
export class PasswordReset {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly resets: ResetsRepository,
    private readonly passwords: Passwords,
    private readonly newPasswords: NewPasswords,
    private readonly entrance: Entrance,
  ) {}

  async accept(token: string, password: string): Promise<SignedIn> {
    const passwordHash = await this.passwords.hash(password);
    const signedIn = await this.postgres.transaction(async (connection) => {
      const userId = await this.resets.take(connection, secretHash(token));
      if (userId === undefined) throw AppError.field('invalid', 'reset_token', 'is not valid (any more).');
      await this.newPasswords.set(connection, userId, passwordHash, 'auth.reset_used');
      return this.entrance.open(connection, userId);
    });
    this.newPasswords.forget(signedIn.user.id);
    return signedIn;
  }
}
