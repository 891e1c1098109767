import { Injectable } from '@nestjs/common';
import { scopesOf } from '@features/standing';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { AccessTokens, type AccessClaims } from '../logins/access-tokens.service';
import { API_KEY_PREFIX } from '../keys/api-keys.service';
import { PrincipalCache } from './principal-cache.service';
import { PrincipalsRepository } from './principals.repository';
import { secretHash } from '../logins/secret-token';

const LONGEST_KEY = 256;

/** Tells who a bearer token or an API key stands for, as of at most 1.5 s ago (at once for what this process revoked). Errors: `unauthenticated`, whatever the reason. */
@Injectable()
export class Authenticator {
  constructor(
    private readonly accessTokens: AccessTokens,
    private readonly principals: PrincipalsRepository,
    private readonly cache: PrincipalCache,
  ) {}

  async authenticate(bearer: string): Promise<Principal> {
    const principal = bearer.startsWith(API_KEY_PREFIX) ? await this.ofKey(bearer) : await this.ofToken(bearer);
    if (principal === undefined)
      throw new AppError('unauthenticated', 'The access token or API key is not valid, has expired or was revoked.');
    return principal;
  }

  /**
   * Who somebody is now who was let in before: a login goes on although its access token has run out meanwhile, a key only while it is good.
   * Errors: `unauthenticated`.
   */
  async renew({ sessionId, userId, workspaceId }: Principal, bearer: string): Promise<Principal> {
    const known = sessionId === undefined ? await this.ofKey(bearer) : await this.ofLogin({ loginId: sessionId, userId, workspaceId });
    if (known === undefined) throw new AppError('unauthenticated', 'The access token or API key was revoked.');
    return known;
  }

  /** For the life of the process: `listener` hears at once that this process has revoked something. */
  onRevoked(listener: () => void): void {
    this.cache.onForget(listener);
  }

  private async ofToken(token: string): Promise<Principal | undefined> {
    const claims = this.accessTokens.verify(token);
    return claims && this.ofLogin(claims);
  }

  private ofLogin(claims: AccessClaims): Promise<Principal | undefined> {
    return this.cache.get(`login ${claims.loginId} ${claims.workspaceId} ${claims.userId}`, () => this.loadLogin(claims));
  }

  private async loadLogin({ loginId, userId, workspaceId }: AccessClaims) {
    const login = await this.principals.findLogin(loginId, userId, workspaceId);
    if (login === undefined) return undefined;
    const { role, instanceAdmin, secondsLeft } = login;
    const principal: Principal = {
      kind: 'user',
      userId,
      workspaceId,
      role,
      instanceAdmin,
      scopes: scopesOf(role, instanceAdmin),
      sessionId: loginId,
    };
    return { principal, secondsLeft };
  }

  private async ofKey(key: string): Promise<Principal | undefined> {
    if (key.length > LONGEST_KEY) return undefined;
    const hash = secretHash(key);
    return this.cache.get(`key ${hash.toString('base64url')}`, () => this.loadKey(hash));
  }

  private async loadKey(hash: Buffer) {
    const key = await this.principals.findKey(hash);
    if (key === undefined) return undefined;
    const { keyId, userId, workspaceId, role, instanceAdmin, secondsLeft } = key;
    // At most what its maker may do today: a key does not outlive a role.
    const scopes = new Set([...scopesOf(role, instanceAdmin)].filter((scope) => key.scopes.includes(scope)));
    const principal: Principal = { kind: 'key', userId, workspaceId, role, instanceAdmin, scopes, keyId };
    if (key.requestsPerMinute !== null) principal.requestsPerMinute = key.requestsPerMinute;
    if (key.tokensPerDay !== null) principal.tokensPerDay = key.tokensPerDay;
    return { principal, secondsLeft };
  }
}
