import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import { AppError } from '@kernel/errors';
import type { Principal, Scope } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import { ApiKeysRepository, type ApiKey } from './api-keys.repository';
import { PrincipalCache } from '../principals/principal-cache.service';
import { newSecret, secretHash } from '../logins/secret-token';

export const API_KEY_PREFIX = 'sk-';

export interface NewApiKey {
  name: string;
  scopes: Scope[];
  expiresAt: Date | null;
  requestsPerMinute: number | null;
  tokensPerDay: number | null;
}

/**
 * A person's own API keys: 256 random bits, shown once, stored as SHA-256.
 * Errors: `forbidden` (a scope that the maker lacks; a key as the maker, which could so outlive its own revocation), `invalid`, `not_found`.
 */
@Injectable()
export class ApiKeys {
  constructor(
    private readonly keys: ApiKeysRepository,
    private readonly principals: PrincipalCache,
  ) {}

  async create(principal: Principal, request: NewApiKey): Promise<{ key: ApiKey; secret: string }> {
    this.demandPerson(principal);
    const missing = request.scopes.find((scope) => !principal.scopes.has(scope));
    if (missing !== undefined) throw new AppError('forbidden', `scopes: you may not give ${missing}, because you do not have it.`);
    if (request.expiresAt !== null && request.expiresAt.getTime() <= Date.now())
      throw AppError.field('invalid', 'expires_at', 'must lie in the future.');
    const secret = newSecret(API_KEY_PREFIX);
    const key = { id: v7(), ...request, scopes: [...new Set(request.scopes)], hint: secret.slice(-4) };
    return { key: await this.keys.insert(principal, key, secretHash(secret)), secret };
  }

  async list(principal: Principal, page: PageQuery): Promise<Page<ApiKey>> {
    this.demandPerson(principal);
    return this.keys.page(principal, page);
  }

  /** The key that the caller used; only for principals of kind `key`. */
  async current(principal: Principal): Promise<ApiKey | undefined> {
    return principal.keyId === undefined ? undefined : this.keys.find(principal, principal.keyId);
  }

  async revoke(principal: Principal, id: string): Promise<void> {
    this.demandPerson(principal);
    if (!(await this.keys.revoke(principal, id))) throw AppError.notFound(`API key ${id}`);
    this.principals.forget((cached) => cached.keyId === id);
  }

  private demandPerson(principal: Principal): void {
    if (principal.kind !== 'user') throw new AppError('forbidden', 'API keys are managed with an access token, not with an API key.');
  }
}
