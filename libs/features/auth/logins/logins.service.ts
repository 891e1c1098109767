import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import { AccessTokens } from './access-tokens.service';
import type { Account, SignedIn } from '../people/account';
import { AccountsRepository } from '../people/accounts.repository';
import { LoginEndings } from './login-endings.service';
import { LoginsRepository } from './logins.repository';
import { newSecret, secretHash } from './secret-token';

const REFRESH_SECONDS = 30 * 24 * 3600;
/** An old refresh token so soon after its rotation is a repeated request, later it is a stolen one. */
const REPEAT_SECONDS = 10;

/**
 * Logins: each is a family of rotating refresh tokens (OAuth 2.0 Security BCP, RFC 9700 §4.14.2); a spent one presented again ends the family.
 * Errors: `unauthenticated`, `conflict` (the same token is being refreshed twice at once).
 */
@Injectable()
export class Logins {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly logins: LoginsRepository,
    private readonly accounts: AccountsRepository,
    private readonly accessTokens: AccessTokens,
    private readonly endings: LoginEndings,
  ) {}

  /** Opens a login for an account whose owner has just proved to be that person. */
  async open(connection: Queryable, account: Account): Promise<SignedIn> {
    const id = v7();
    await this.logins.insert(connection, { id, userId: account.user.id, workspaceId: account.workspace.id }, REFRESH_SECONDS);
    return this.signedIn(connection, account, id);
  }

  async refresh(refreshToken: string): Promise<SignedIn> {
    const hash = secretHash(refreshToken);
    const answer = await this.postgres.transaction(async (connection) => {
      const loginId = await this.logins.rotate(connection, hash);
      if (loginId === undefined) return undefined;
      const login = await this.logins.prolong(connection, loginId, REFRESH_SECONDS);
      const account = login && (await this.accounts.findAccount(connection, login.userId, login.workspaceId));
      // Revoked or suspended: the rotation is undone too.
      if (account === undefined) throw refused();
      return this.signedIn(connection, account, loginId);
    });
    return answer ?? this.refuse(hash);
  }

  private async signedIn(connection: Queryable, account: Account, loginId: string): Promise<SignedIn> {
    const refreshToken = newSecret('rt-');
    await this.logins.insertToken(connection, loginId, secretHash(refreshToken), REFRESH_SECONDS);
    const { token, expiresIn } = this.accessTokens.issue({ userId: account.user.id, loginId, workspaceId: account.workspace.id });
    return { ...account, tokens: { accessToken: token, expiresIn, refreshToken } };
  }

  private async refuse(hash: Buffer): Promise<never> {
    const spent = await this.logins.findSpent(hash);
    const rotated = spent?.secondsSinceRotation ?? null;
    if (spent !== undefined && !spent.revoked && rotated !== null) {
      if (rotated <= REPEAT_SECONDS)
        throw new AppError('conflict', 'refresh_token has just been used; go on with the tokens of that answer.');
      await this.endings.stolen(spent);
    }
    throw refused();
  }
}

function refused(): AppError {
  return new AppError('unauthenticated', 'refresh_token is not valid; log in again.');
}
