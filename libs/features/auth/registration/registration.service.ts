import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { SignedIn } from '../people/account';
import { InvitationsRepository, type OpenInvitation } from '../invitations/invitations.repository';
import { refusedInvitation } from '../invitations/joining.service';
import { secretHash } from '../logins/secret-token';
import { Admission, type RegistrationOrigin } from './admission.service';
import { normaliseEmail } from '../people/email-address';
import { NewAccounts } from './new-accounts.service';
import { Passwords } from '../people/passwords.service';

export interface RegistrationRequest {
  email: string;
  password: string;
  name?: string;
  setupToken?: string;
  /** Of an invitation for this e-mail. */
  inviteToken?: string;
}

/**
 * Registers people. The first becomes instance admin, exactly one however many try at once. Errors: `invalid`, `forbidden`, `conflict` (e-mail
 * taken), `rate_limited`.
 */
@Injectable()
export class Registration {
  constructor(
    private readonly admission: Admission,
    private readonly passwords: Passwords,
    private readonly newAccounts: NewAccounts,
    private readonly invitations: InvitationsRepository,
  ) {}

  async register(request: RegistrationRequest, origin: RegistrationOrigin): Promise<SignedIn> {
    const email = normaliseEmail(request.email);
    const invited = request.inviteToken !== undefined;
    const admitted = await this.admission.admit(request.setupToken, origin, invited);
    const person = { email, name: request.name ?? null, passwordHash: await this.passwords.hash(request.password) };
    const invitation = request.inviteToken === undefined ? undefined : await this.invitation(request.inviteToken, email);
    if (admitted === 'first') {
      const first = await this.newAccounts.register(person, true);
      if (first !== undefined) return first;
      // Somebody else became the first in the meantime: this one is now like any other.
      await this.admission.admitLater(origin, invited);
    }
    const signedIn = await this.newAccounts.register(person, false, invitation);
    if (signedIn === undefined) throw new AppError('conflict', 'email: there is an account with this e-mail already.');
    return signedIn;
  }

  private async invitation(token: string, email: string): Promise<OpenInvitation> {
    const invitation = await this.invitations.findOpen(secretHash(token));
    if (invitation?.email !== email) throw refusedInvitation();
    return invitation;
  }
}
