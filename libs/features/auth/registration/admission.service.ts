import { Injectable } from '@nestjs/common';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { AccountsRepository } from '../people/accounts.repository';
import { addressBucket } from '../people/address-bucket';
import { Attempts } from '../people/attempts.service';
import { SetupToken } from './setup-token.service';

/** Registrations in an hour from one address. */
const PER_ADDRESS = 5;

/** Where a registration comes from. */
export interface RegistrationOrigin {
  /** Of the client, for limits. */
  address: string;
  /** This very machine, proved: the server listens on loopback alone, `Host` is a loopback name, and nothing forwarded the request. */
  local: boolean;
}

/**
 * Decides who may register: the first user from this machine or with the setup token, everybody else by `AUTH_REGISTRATION`.
 * Errors: `forbidden`, `rate_limited`.
 */
@Injectable()
export class Admission {
  constructor(
    private readonly config: AppConfig,
    private readonly accounts: AccountsRepository,
    private readonly setupToken: SetupToken,
    private readonly attempts: Attempts,
  ) {}

  /** `first`: nobody is registered yet, and this one may be the first admin. */
  async admit(setupToken: string | undefined, origin: RegistrationOrigin, invited: boolean): Promise<'first' | 'later'> {
    if (await this.accounts.anyUser()) {
      await this.admitLater(origin, invited);
      return 'later';
    }
    if (setupToken !== undefined) await this.setupToken.check(setupToken, origin.address);
    else if (!origin.local) {
      throw new AppError(
        'forbidden',
        'The first user must send setup_token, unless registering on the server itself (directly, at its loopback address).',
      );
    }
    return 'first';
  }

  /** `invited`: with a token of an invitation, good or not. */
  async admitLater(origin: RegistrationOrigin, invited: boolean): Promise<void> {
    const { registration } = this.config.auth;
    if (registration === 'closed')
      throw new AppError('forbidden', 'Registration on this server is closed; an invitation is accepted instead.');
    if (registration === 'invite' && !invited) throw new AppError('forbidden', 'Registration on this server needs an invite_token.');
    await this.attempts.take(`register from ${addressBucket(origin.address)}`, PER_ADDRESS, 3600);
  }
}
