import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { Entrance } from '../logins/entrance.service';
import { LoginEndings } from '../logins/login-endings.service';
import { Logins } from '../logins/logins.service';
import type { Account, SignedIn } from './account';
import { AccountsRepository } from './accounts.repository';
import { Credentials } from './credentials.service';
import { normaliseEmail } from './email-address';

/**
 * Signing in and out. A wrong password, an unknown e-mail and a suspended person get the same answer after the same work.
 * Errors: `unauthenticated`, `conflict` (refreshed twice at once), `rate_limited`, `forbidden` (no workspace; what an API key cannot do), `not_found`
 * (not a member of the workspace to switch to).
 */
@Injectable()
export class Accounts {
  constructor(
    private readonly accounts: AccountsRepository,
    private readonly credentials: Credentials,
    private readonly logins: Logins,
    private readonly entrance: Entrance,
    private readonly endings: LoginEndings,
  ) {}

  async login(request: { email: string; password: string }, address: string): Promise<SignedIn> {
    const userId = await this.credentials.prove(normaliseEmail(request.email), request.password, address);
    if (userId === undefined) throw new AppError('unauthenticated', 'The e-mail or the password is wrong.');
    return this.entrance.login(userId);
  }

  refresh(refreshToken: string): Promise<SignedIn> {
    return this.logins.refresh(refreshToken);
  }

  /** A new login in another workspace of the caller's; the one at hand stays. */
  async switch(principal: Principal, workspaceId: string): Promise<SignedIn> {
    if (principal.kind !== 'user') throw new AppError('forbidden', 'An API key acts in its own workspace alone.');
    return this.entrance.switch(principal.userId, workspaceId);
  }

  /** Ends the login of this access token: its tokens are refused at once here, and within 5 s by other processes. */
  async logout(principal: Principal): Promise<void> {
    if (principal.sessionId === undefined) throw new AppError('forbidden', 'An API key has no login to end; delete the key instead.');
    await this.endings.logout(principal, principal.sessionId);
  }

  async me(principal: Principal): Promise<Account> {
    const account = await this.accounts.find(principal);
    if (account === undefined) throw new AppError('unauthenticated', 'Your account is no longer active here.');
    return account;
  }
}
