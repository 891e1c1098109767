import { Injectable } from '@nestjs/common';
import { PostgresClient, sql } from '@backing/postgres';
import type { Role } from '@kernel/identity';

export interface ActiveLogin {
  userId: string;
  instanceAdmin: boolean;
  role: Role;
  secondsLeft: number;
}

export interface ActiveKey {
  keyId: string;
  userId: string;
  workspaceId: string;
  instanceAdmin: boolean;
  role: Role;
  scopes: string[];
  requestsPerMinute: number | null;
  tokensPerDay: number | null;
  /** Null: never expires. */
  secondsLeft: number | null;
}

/** Who stands behind a login or a key, while neither it nor its person has been stopped. */
@Injectable()
export class PrincipalsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async findLogin(loginId: string, userId: string, workspaceId: string): Promise<ActiveLogin | undefined> {
    const rows = await this.postgres.query<{ instance_admin: boolean; role: Role; seconds_left: number }>(
      sql`SELECT u.instance_admin, m.role, extract(epoch FROM l.expires_at - now())::float8 AS seconds_left
          FROM logins l JOIN users u ON u.id = l.user_id JOIN memberships m ON m.user_id = u.id
          WHERE l.id = ${loginId}::uuid AND u.id = ${userId}::uuid AND m.workspace_id = ${workspaceId}::uuid
            AND l.revoked_at IS NULL AND l.expires_at > now() AND u.status = 'active'`,
      { name: 'auth.login' },
    );
    const row = rows[0];
    return row && { userId, instanceAdmin: row.instance_admin, role: row.role, secondsLeft: row.seconds_left };
  }

  /** Behind a workspace's key stands whoever made it, without the powers over the instance. */
  async findKey(hash: Buffer): Promise<ActiveKey | undefined> {
    interface Row {
      id: string;
      owner_id: string;
      workspace_id: string;
      instance_admin: boolean;
      role: Role;
      scopes: string[];
      requests_per_minute: number | null;
      tokens_per_day: number | null;
      seconds_left: number | null;
    }
    const rows = await this.postgres.query<Row>(
      sql`SELECT k.id, k.owner_id, k.workspace_id, p.instance_admin AND k.made_by IS NULL AS instance_admin, m.role, k.scopes, k.requests_per_minute,
                 k.tokens_per_day::float8 AS tokens_per_day,
                 extract(epoch FROM k.expires_at - now())::float8 AS seconds_left
          FROM api_keys k JOIN users u ON u.id = k.owner_id JOIN users p ON p.id = coalesce(k.made_by, k.owner_id)
            JOIN memberships m ON m.user_id = p.id AND m.workspace_id = k.workspace_id
          WHERE k.secret_hash = ${hash} AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
            AND u.status = 'active' AND p.status = 'active'`,
      { name: 'auth.key' },
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    const { instance_admin: instanceAdmin, role, scopes, requests_per_minute: requestsPerMinute, seconds_left: secondsLeft } = row;
    return {
      keyId: row.id,
      userId: row.owner_id,
      workspaceId: row.workspace_id,
      instanceAdmin,
      role,
      scopes,
      requestsPerMinute,
      tokensPerDay: row.tokens_per_day,
      secondsLeft,
    };
  }
}
