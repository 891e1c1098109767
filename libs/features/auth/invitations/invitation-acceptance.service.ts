import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { secretHash } from '../logins/secret-token';
import type { SignedIn } from '../people/account';
import { Credentials } from '../people/credentials.service';
import { Passwords } from '../people/passwords.service';
import { Guests } from './guests.service';
import { InvitationsRepository, type OpenInvitation } from './invitations.repository';
import { refusedInvitation } from './joining.service';

export interface AcceptedInvitation {
  token: string;
  /** For somebody new the password to be; else the one that the account has. */
  password: string;
  /** For somebody new. */
  name?: string;
}

/**
 * Accepting an invitation: somebody new gets an account, somebody known proves to be that person by the password. A hash is worked out before the
 * token's fate shows, so that a good and a bad one take the same time. Errors: `invalid` naming the token (wrong, used, revoked and expired alike),
 * `unauthenticated` (wrong password, suspended).
 */
@Injectable()
export class InvitationAcceptance {
  constructor(
    private readonly invitations: InvitationsRepository,
    private readonly guests: Guests,
    private readonly passwords: Passwords,
    private readonly credentials: Credentials,
  ) {}

  async accept(request: AcceptedInvitation, address: string): Promise<SignedIn> {
    const invitation = await this.find(request);
    if (invitation.userId === null) {
      const passwordHash = await this.passwords.hash(request.password);
      const welcomed = await this.guests.welcome(invitation, { name: request.name ?? null, passwordHash });
      if (welcomed !== undefined) return welcomed;
    }
    // Also whoever got the account in between: then it has a password, and that one counts.
    const userId = await this.credentials.prove(invitation.email, request.password, address);
    if (userId === undefined) throw new AppError('unauthenticated', 'The e-mail or the password is wrong.');
    return this.guests.admit(invitation, userId);
  }

  private async find({ token, password }: AcceptedInvitation): Promise<OpenInvitation> {
    const invitation = await this.invitations.findOpen(secretHash(token));
    if (invitation !== undefined) return invitation;
    await this.passwords.verify(undefined, password);
    throw refusedInvitation();
  }
}
