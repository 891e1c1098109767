import { Injectable } from '@nestjs/common';
import { Audit } from '@features/audit';
import { AccountsRepository } from './accounts.repository';
import { addressBucket } from './address-bucket';
import { Attempts } from './attempts.service';
import { Passwords } from './passwords.service';

/** Failed tries in a minute, for one e-mail and from one address. */
const PER_EMAIL = 10;
const PER_ADDRESS = 30;

/**
 * Whether a password is that of an active person: for signing in, and wherever else a person proves to be one. A wrong password, an unknown e-mail
 * and a suspended person take the same work and are one answer. Errors: `rate_limited`.
 */
@Injectable()
export class Credentials {
  constructor(
    private readonly accounts: AccountsRepository,
    private readonly passwords: Passwords,
    private readonly attempts: Attempts,
    private readonly audit: Audit,
  ) {}

  /** The person's id; undefined for everybody else. `email` is normalised. */
  async prove(email: string, password: string, address: string): Promise<string | undefined> {
    await this.attempts.take(`login from ${addressBucket(address)}`, PER_ADDRESS, 60);
    await this.attempts.take(`login of ${email}`, PER_EMAIL, 60);
    const known = await this.accounts.findCredentials(email);
    const matches = await this.passwords.verify(known?.passwordHash, password);
    if (known === undefined || !matches || !known.active) {
      const details = { email_sha256: Audit.digest(email) };
      await this.audit.add(undefined, { workspaceId: null, actor: null, action: 'auth.login_failed', details, address });
      return undefined;
    }
    await this.attempts.giveBack(`login from ${addressBucket(address)}`);
    await this.attempts.giveBack(`login of ${email}`);
    return known.userId;
  }
}
