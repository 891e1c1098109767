import { Injectable } from '@nestjs/common';
import { PostgresClient, sql } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { Principal, Role, Scope } from '@kernel/identity';
import { scopesOf } from './role-scopes';

/** In whose name work goes on after its request has ended. */
export interface Bearer {
  workspaceId: string;
  userId: string;
  /** The API key of the request, if it came with one. */
  apiKeyId: string | null;
}

/** What somebody may do at this moment, for work that goes on after its request: roles, keys and people can be taken away meanwhile. */
@Injectable()
export class Standing {
  constructor(private readonly postgres: PostgresClient) {}

  /** Errors: `forbidden` when the person or the key may not (any more). */
  async assertMay(bearer: Bearer, scope: Scope): Promise<void> {
    const scopes = await this.scopes(bearer);
    if (scopes.has(scope)) return;
    throw new AppError('forbidden', `The work may not go on: its maker has lost the right ${scope}.`, { retryable: false });
  }

  /** Such a maker as a principal, with what it may do now. Errors: `forbidden` for who has no place in the workspace (any more). */
  async principal(bearer: Bearer): Promise<Principal> {
    const { workspaceId, userId, apiKeyId } = bearer;
    const row = await this.row(bearer);
    const scopes = allowed(row, apiKeyId);
    if (row === undefined || scopes.size === 0) throw new AppError('forbidden', 'The maker of the work has lost the right to it.');
    const key = apiKeyId === null ? { kind: 'user' as const } : { kind: 'key' as const, keyId: apiKeyId };
    return { ...key, userId, workspaceId, role: row.role, instanceAdmin: row.instance_admin, scopes };
  }

  private async scopes(bearer: Bearer): Promise<Set<Scope>> {
    return allowed(await this.row(bearer), bearer.apiKeyId);
  }

  /** Behind a workspace's key stands whoever made it, without the powers over the instance; the key's owner is a user that nobody can be. */
  private async row({ workspaceId, userId, apiKeyId }: Bearer): Promise<Rights | undefined> {
    const rows = await this.postgres.query<Rights>(
      sql`SELECT m.role, p.instance_admin AND k.made_by IS NULL AS instance_admin, k.scopes
          FROM users u
            LEFT JOIN api_keys k ON k.id = ${apiKeyId}::uuid AND k.owner_id = u.id AND k.workspace_id = ${workspaceId}::uuid
              AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
            JOIN users p ON p.id = coalesce(k.made_by, u.id)
            JOIN memberships m ON m.user_id = p.id AND m.workspace_id = ${workspaceId}::uuid
          WHERE u.id = ${userId}::uuid AND u.status = 'active' AND p.status = 'active'`,
      { name: 'standing.rights' },
    );
    return rows[0];
  }
}

interface Rights {
  role: Role;
  instance_admin: boolean;
  scopes: Scope[] | null;
}

function allowed(row: Rights | undefined, apiKeyId: string | null): Set<Scope> {
  if (row === undefined || (apiKeyId !== null && row.scopes === null)) return new Set();
  const scopes = scopesOf(row.role, row.instance_admin);
  return row.scopes === null ? scopes : new Set(row.scopes.filter((scope) => scopes.has(scope)));
}
