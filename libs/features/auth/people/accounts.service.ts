import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { Account, SignedIn } from './account';
import { AccountsRepository } from './accounts.repository';
import { Attempts } from './attempts.service';
import { normaliseEmail } from './email-address';
import { Logins } from '../logins/logins.service';
import { Passwords } from './passwords.service';

/** Failed sign-ins in a minute, for one e-mail and from one address. */
const PER_EMAIL = 10;
const PER_ADDRESS = 30;

/**
 * Signing in and out. A wrong password, an unknown e-mail and a suspended person get the same answer after the same work.
 * Errors: `unauthenticated`, `conflict` (refreshed twice at once), `rate_limited`, `forbidden` (no workspace; an API key cannot log out).
 */
@Injectable()
export class Accounts {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly accounts: AccountsRepository,
    private readonly passwords: Passwords,
    private readonly logins: Logins,
    private readonly attempts: Attempts,
  ) {}

  async login(request: { email: string; password: string }, address: string): Promise<SignedIn> {
    const email = normaliseEmail(request.email);
    this.attempts.take(`login from ${address}`, PER_ADDRESS, 60);
    this.attempts.take(`login of ${email}`, PER_EMAIL, 60);
    const known = await this.accounts.findCredentials(email);
    const matches = await this.passwords.verify(known?.passwordHash, request.password);
    if (known === undefined || !matches || !known.active) throw new AppError('unauthenticated', 'The e-mail or the password is wrong.');
    this.attempts.giveBack(`login from ${address}`);
    this.attempts.giveBack(`login of ${email}`);
    return this.postgres.transaction(async (connection) => {
      const account = await this.accounts.findAccount(connection, known.userId, null);
      if (account === undefined) throw new AppError('forbidden', 'You are not a member of any workspace.');
      return this.logins.open(connection, account);
    });
  }

  refresh(refreshToken: string): Promise<SignedIn> {
    return this.logins.refresh(refreshToken);
  }

  /** Ends the login of this access token: its tokens are refused at once here, and within 5 s by other processes. */
  async logout(principal: Principal): Promise<void> {
    if (principal.sessionId === undefined) throw new AppError('forbidden', 'An API key has no login to end; delete the key instead.');
    await this.logins.revoke(principal.sessionId, 'logout');
  }

  async me(principal: Principal): Promise<Account> {
    const account = await this.accounts.findAccount(this.postgres, principal.userId, principal.workspaceId);
    if (account === undefined) throw new AppError('unauthenticated', 'Your account is no longer active here.');
    return account;
  }
}
