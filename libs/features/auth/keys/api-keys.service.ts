import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { AppError } from '@kernel/errors';
import { roleAtLeast, type Principal, type Scope } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import { ApiKeysRepository, type ApiKey } from './api-keys.repository';
import { PrincipalCache } from '../principals/principal-cache.service';
import { newSecret, secretHash } from '../logins/secret-token';

export const API_KEY_PREFIX = 'sk-';

/** Powers over the instance are never a workspace's. */
const INSTANCE_SCOPES: ReadonlySet<Scope> = new Set(['models:write']);

export interface NewApiKey {
  owner: ApiKey['owner'];
  name: string;
  scopes: Scope[];
  expiresAt: Date | null;
  requestsPerMinute: number | null;
  tokensPerDay: number | null;
}

/**
 * API keys: 256 random bits, shown once, stored as SHA-256. A person's own act as that person; those of a workspace, which its admins make, list and
 * delete, act as a user of their own, within what their maker may do there at that moment.
 * Errors: `forbidden` (a scope that the maker lacks; a key as the maker, which could so outlive its own revocation), `invalid`, `not_found`.
 */
@Injectable()
export class ApiKeys {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly keys: ApiKeysRepository,
    private readonly principals: PrincipalCache,
    private readonly audit: Audit,
  ) {}

  async create(principal: Principal, request: NewApiKey): Promise<{ key: ApiKey; secret: string }> {
    demandPerson(principal);
    assertMayGive(principal, request);
    if (request.expiresAt !== null && request.expiresAt.getTime() <= Date.now())
      throw AppError.field('invalid', 'expires_at', 'must lie in the future.');
    const secret = newSecret(API_KEY_PREFIX);
    const key = await this.postgres.transaction((connection) => this.insert(connection, principal, request, secret));
    return { key, secret };
  }

  async list(principal: Principal, owner: ApiKey['owner'], page: PageQuery): Promise<Page<ApiKey>> {
    demandPerson(principal);
    const { workspaceId, userId } = principal;
    if (owner === 'me') return this.keys.page({ workspaceId, userId }, page);
    demandAdmin(principal);
    return this.keys.page({ workspaceId }, page);
  }

  /** The key that the caller used; only for principals of kind `key`. */
  async current({ workspaceId, userId, keyId }: Principal): Promise<ApiKey | undefined> {
    return keyId === undefined ? undefined : this.keys.find(workspaceId, userId, keyId);
  }

  /** One's own key or, for admins, one of the workspace. */
  async revoke(principal: Principal, id: string): Promise<void> {
    demandPerson(principal);
    const { workspaceId, userId } = principal;
    await this.postgres.transaction(async (connection) => {
      const own = await this.keys.revoke(connection, { workspaceId, userId }, id);
      const shared = !own && roleAtLeast(principal.role, 'admin') && (await this.keys.revoke(connection, { workspaceId }, id));
      if (!own && !shared) throw AppError.notFound(`API key ${id}`);
      const details = { owner: own ? 'me' : 'workspace' };
      await this.audit.add(connection, { workspaceId, actor: principal, action: 'key.deleted', subject: { kind: 'key', id }, details });
    });
    this.principals.forget({ keyId: id });
  }

  private async insert(connection: Queryable, principal: Principal, request: NewApiKey, secret: string): Promise<ApiKey> {
    const { workspaceId, userId: madeBy } = principal;
    const { owner, ...rest } = request;
    const id = v7();
    const ownerId = owner === 'me' ? madeBy : v7();
    if (owner === 'workspace') await this.keys.insertServiceUser(connection, ownerId, rest.name);
    const scopes = [...new Set(rest.scopes)];
    const row = { ...rest, id, workspaceId, ownerId, madeBy, scopes, hint: secret.slice(-4) };
    const key = await this.keys.insert(connection, row, secretHash(secret));
    const details = { owner, scopes: scopes.join(' '), expires_at: rest.expiresAt?.toISOString() ?? null };
    await this.audit.add(connection, { workspaceId, actor: principal, action: 'key.created', subject: { kind: 'key', id }, details });
    return key;
  }
}

function assertMayGive(principal: Principal, { owner, scopes }: NewApiKey): void {
  if (owner === 'workspace') demandAdmin(principal);
  const missing = scopes.find((scope) => !principal.scopes.has(scope));
  if (missing !== undefined) throw new AppError('forbidden', `scopes: you may not give ${missing}, because you do not have it.`);
  const instance = owner === 'workspace' ? scopes.find((scope) => INSTANCE_SCOPES.has(scope)) : undefined;
  if (instance !== undefined)
    throw new AppError('forbidden', `scopes: ${instance} concerns the whole instance; a key of a workspace cannot have it.`);
}

function demandAdmin(principal: Principal): void {
  if (!roleAtLeast(principal.role, 'admin')) throw new AppError('forbidden', 'Keys of the workspace need the role admin in it.');
}

function demandPerson(principal: Principal): void {
  if (principal.kind !== 'user') throw new AppError('forbidden', 'API keys are managed with an access token, not with an API key.');
}
