import { Injectable } from '@nestjs/common';
import { AppConfig } from '@kernel/config';
import { AccountsRepository } from '../people/accounts.repository';
import { normaliseEmail } from '../people/email-address';
import { NewAccounts } from './new-accounts.service';
import { Passwords } from '../people/passwords.service';
import { SetupToken } from './setup-token.service';

/** What an empty database needs at the start of a server. */
export interface FirstStart {
  /** Nobody is registered: somebody has to. */
  userMissing: boolean;
  /** Present for the process that made it, which must print it. */
  setupToken?: string;
}

/** Prepares a database without users: the admin of `ADMIN_EMAIL` and `ADMIN_PASSWORD`, or a setup token to register one. */
@Injectable()
export class FirstAdmin {
  constructor(
    private readonly config: AppConfig,
    private readonly accounts: AccountsRepository,
    private readonly passwords: Passwords,
    private readonly newAccounts: NewAccounts,
    private readonly setupToken: SetupToken,
  ) {}

  async prepare(): Promise<FirstStart> {
    if (await this.accounts.anyUser()) return { userMissing: false };
    const { adminEmail, adminPassword } = this.config.auth;
    if (adminEmail !== undefined && adminPassword !== undefined) {
      const passwordHash = await this.passwords.hash(adminPassword);
      await this.newAccounts.createFirstAdmin({ email: normaliseEmail(adminEmail), name: null, passwordHash });
      return { userMissing: false };
    }
    const setupToken = await this.setupToken.prepare();
    return setupToken === undefined ? { userMissing: true } : { userMissing: true, setupToken };
  }
}
