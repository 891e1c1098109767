import { Injectable } from '@nestjs/common';
import { PostgresClient, pageConditions, pageOf, pageOrder, sql, type Queryable, type Sql } from '@backing/postgres';
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
  /** Whom the key acts for: its maker, or the workspace, as a user of its own. */
  owner: 'me' | 'workspace';
  /** The person whose rights bound the key. */
  madeBy: string;
  createdAt: Date;
}

/** Keys of one person in a workspace, or (without a user) those of the workspace itself. */
export interface KeyOwner {
  workspaceId: string;
  userId?: string;
}

export interface NewKeyRow extends Omit<ApiKey, 'createdAt' | 'owner'> {
  workspaceId: string;
  /** The user that everything belongs to which the key makes. */
  ownerId: string;
}

interface KeyRow {
  id: string;
  owner_id: string;
  made_by: string | null;
  name: string;
  scopes: Scope[];
  secret_hint: string;
  requests_per_minute: number | null;
  tokens_per_day: number | null;
  expires_at: Date | null;
  created_at: Date;
}

const COLUMNS = sql`id, owner_id, made_by, name, scopes, secret_hint, requests_per_minute, tokens_per_day::float8 AS tokens_per_day, expires_at, created_at`;

/** API keys that are not revoked. */
@Injectable()
export class ApiKeysRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** The user that a workspace's key acts as: nobody can sign in as one, and no workspace has it as a member. */
  async insertServiceUser(connection: Queryable, id: string, name: string): Promise<void> {
    await connection.query(
      sql`INSERT INTO users (id, kind, email, name, password_hash) VALUES (${id}::uuid, 'service', ${`key-${id}@service.invalid`}, ${name}, '!')`,
    );
  }

  async insert(connection: Queryable, key: NewKeyRow, hash: Buffer): Promise<ApiKey> {
    const madeBy = key.ownerId === key.madeBy ? null : key.madeBy;
    const rows = await connection.query<KeyRow>(
      sql`INSERT INTO api_keys
            (id, workspace_id, owner_id, made_by, name, secret_hash, secret_hint, scopes, requests_per_minute, tokens_per_day, expires_at)
          VALUES (${key.id}::uuid, ${key.workspaceId}::uuid, ${key.ownerId}::uuid, ${madeBy}::uuid, ${key.name}, ${hash}, ${key.hint},
                  ${key.scopes}::text[], ${key.requestsPerMinute}::int, ${key.tokensPerDay}::bigint, ${key.expiresAt}::timestamptz)
          RETURNING ${COLUMNS}`,
    );
    const [row] = rows.map(keyOf);
    if (row === undefined) throw new Error('The insert of an API key answered no row.');
    return row;
  }

  async page(owner: KeyOwner, page: PageQuery): Promise<Page<ApiKey>> {
    const rows = await this.postgres.query<KeyRow>(
      sql`SELECT ${COLUMNS} FROM api_keys WHERE ${ownedBy(owner)} ${pageConditions(page)} ${pageOrder(page)}`,
    );
    return pageOf(rows.map(keyOf), page);
  }

  /** A key by the one user that it acts as. */
  async find(workspaceId: string, ownerId: string, id: string): Promise<ApiKey | undefined> {
    const rows = await this.postgres.query<KeyRow>(
      sql`SELECT ${COLUMNS} FROM api_keys
          WHERE id = ${id}::uuid AND workspace_id = ${workspaceId}::uuid AND owner_id = ${ownerId}::uuid AND revoked_at IS NULL`,
    );
    return rows.map(keyOf)[0];
  }

  /** False when the owner has no such key. */
  async revoke(connection: Queryable, owner: KeyOwner, id: string): Promise<boolean> {
    const rows = await connection.query(
      sql`UPDATE api_keys SET revoked_at = now() WHERE id = ${id}::uuid AND ${ownedBy(owner)} RETURNING id`,
    );
    return rows.length === 1;
  }
}

function ownedBy({ workspaceId, userId }: KeyOwner): Sql {
  const whose = userId === undefined ? sql`made_by IS NOT NULL` : sql`owner_id = ${userId}::uuid`;
  return sql`workspace_id = ${workspaceId}::uuid AND ${whose} AND revoked_at IS NULL`;
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
    owner: row.made_by === null ? 'me' : 'workspace',
    madeBy: row.made_by ?? row.owner_id,
    createdAt: row.created_at,
  };
}
