import { Injectable } from '@nestjs/common';
import { PostgresClient, pageConditions, pageOf, pageOrder, sql } from '@backing/postgres';
import type { Scope } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';

/** An API key without its secret. */
export interface ApiKey {
  id: string;
  name: string;
  scopes: Scope[];
  /** The last four characters of the secret. */
  hint: string;
  requestsPerMinute: number | null;
  tokensPerDay: number | null;
  expiresAt: Date | null;
  createdAt: Date;
}

export interface KeyOwner {
  workspaceId: string;
  userId: string;
}

interface KeyRow {
  id: string;
  name: string;
  scopes: Scope[];
  secret_hint: string;
  requests_per_minute: number | null;
  tokens_per_day: number | null;
  expires_at: Date | null;
  created_at: Date;
}

const COLUMNS = sql`id, name, scopes, secret_hint, requests_per_minute, tokens_per_day::float8 AS tokens_per_day, expires_at, created_at`;

/** API keys that are not revoked, of one person in one workspace. */
@Injectable()
export class ApiKeysRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async insert(owner: KeyOwner, key: Omit<ApiKey, 'createdAt'>, hash: Buffer): Promise<ApiKey> {
    const rows = await this.postgres.query<KeyRow>(
      sql`INSERT INTO api_keys (id, workspace_id, owner_id, name, secret_hash, secret_hint, scopes, requests_per_minute, tokens_per_day, expires_at)
          VALUES (${key.id}::uuid, ${owner.workspaceId}::uuid, ${owner.userId}::uuid, ${key.name}, ${hash}, ${key.hint}, ${key.scopes}::text[],
                  ${key.requestsPerMinute}::int, ${key.tokensPerDay}::bigint, ${key.expiresAt}::timestamptz)
          RETURNING ${COLUMNS}`,
    );
    const [row] = rows.map(keyOf);
    if (row === undefined) throw new Error('The insert of an API key answered no row.');
    return row;
  }

  async page(owner: KeyOwner, page: PageQuery): Promise<Page<ApiKey>> {
    const rows = await this.postgres.query<KeyRow>(
      sql`SELECT ${COLUMNS} FROM api_keys WHERE workspace_id = ${owner.workspaceId}::uuid AND owner_id = ${owner.userId}::uuid AND revoked_at IS NULL
          ${pageConditions(page)} ${pageOrder(page)}`,
    );
    return pageOf(rows.map(keyOf), page);
  }

  async find(owner: KeyOwner, id: string): Promise<ApiKey | undefined> {
    const rows = await this.postgres.query<KeyRow>(
      sql`SELECT ${COLUMNS} FROM api_keys
          WHERE id = ${id}::uuid AND workspace_id = ${owner.workspaceId}::uuid AND owner_id = ${owner.userId}::uuid AND revoked_at IS NULL`,
    );
    return rows.map(keyOf)[0];
  }

  /** False when the owner has no such key. */
  async revoke(owner: KeyOwner, id: string): Promise<boolean> {
    const rows = await this.postgres.query(
      sql`UPDATE api_keys SET revoked_at = now()
          WHERE id = ${id}::uuid AND workspace_id = ${owner.workspaceId}::uuid AND owner_id = ${owner.userId}::uuid AND revoked_at IS NULL RETURNING id`,
    );
    return rows.length === 1;
  }
}

function keyOf(row: KeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    hint: row.secret_hint,
    requestsPerMinute: row.requests_per_minute,
    tokensPerDay: row.tokens_per_day,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
  };
}
