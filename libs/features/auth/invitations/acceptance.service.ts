import { Injectable } from '@nestjs/common';
import type { SignedIn } from '../people/account';
import { addressBucket } from '../people/address-bucket';
import { Attempts } from '../people/attempts.service';
import { PasswordReset } from '../resets/password-reset.service';
import { InvitationAcceptance, type AcceptedInvitation } from './invitation-acceptance.service';

/** Tries in a minute from one address that come to nothing. */
const PER_ADDRESS = 30;

/** What people do with a token that somebody handed them: join by an invitation, or set a new password. Errors: `rate_limited`, those of either. */
@Injectable()
export class Acceptance {
  constructor(
    private readonly attempts: Attempts,
    private readonly invitations: InvitationAcceptance,
    private readonly resets: PasswordReset,
  ) {}

  acceptInvitation(request: AcceptedInvitation, address: string): Promise<SignedIn> {
    return this.limited(address, () => this.invitations.accept(request, address));
  }

  reset(token: string, password: string, address: string): Promise<SignedIn> {
    return this.limited(address, () => this.resets.accept(token, password));
  }

  private async limited(address: string, work: () => Promise<SignedIn>): Promise<SignedIn> {
    const key = `accept from ${addressBucket(address)}`;
    await this.attempts.take(key, PER_ADDRESS, 60);
    const signedIn = await work();
    await this.attempts.giveBack(key);
    return signedIn;
  }
}
