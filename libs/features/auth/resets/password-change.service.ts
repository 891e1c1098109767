import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { AccountsRepository } from '../people/accounts.repository';
import { Credentials } from '../people/credentials.service';
import { Passwords } from '../people/passwords.service';
import { NewPasswords } from './new-passwords.service';

/**
 * Changing one's own password: needs the current one, limited as signing in is, and ends all sessions of the person, this one too.
 * Errors: `forbidden` (a wrong current password; an API key), `invalid` (length), `rate_limited`.
 */
@Injectable()
export class PasswordChange {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly accounts: AccountsRepository,
    private readonly credentials: Credentials,
    private readonly passwords: Passwords,
    private readonly newPasswords: NewPasswords,
  ) {}

  async change(principal: Principal, request: { current: string; wanted: string }, address: string): Promise<void> {
    if (principal.kind !== 'user') throw new AppError('forbidden', 'A password is changed with an access token, not with an API key.');
    const email = await this.accounts.emailOf(principal.userId);
    if ((await this.credentials.prove(email, request.current, address)) !== principal.userId) {
      const message = 'is not your current password.';
      throw new AppError('forbidden', `current_password: ${message}`, { errors: [{ path: 'current_password', message }] });
    }
    const passwordHash = await this.passwords.hash(request.wanted);
    await this.postgres.transaction((connection) =>
      this.newPasswords.set(connection, principal.userId, passwordHash, 'auth.password_changed'),
    );
    this.newPasswords.forget(principal.userId);
  }
}
