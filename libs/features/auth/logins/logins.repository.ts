import { Injectable } from '@nestjs/common';
import { PostgresClient, sql, type Queryable } from '@backing/postgres';

export type RevocationReason = 'logout' | 'reuse' | 'password' | 'suspended' | 'removed' | 'deleted';

/** A refresh token that cannot be rotated: why. */
export interface SpentToken {
  loginId: string;
  userId: string;
  workspaceId: string;
  revoked: boolean;
  /** Null: never rotated, so it has expired. */
  secondsSinceRotation: number | null;
}

/** Logins and the refresh tokens of each, by the database's clock. */
@Injectable()
export class LoginsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async insert(connection: Queryable, login: { id: string; userId: string; workspaceId: string }, seconds: number): Promise<void> {
    await connection.query(sql`DELETE FROM logins WHERE user_id = ${login.userId}::uuid AND expires_at < now()`);
    await connection.query(
      sql`INSERT INTO logins (id, user_id, workspace_id, expires_at)
          VALUES (${login.id}::uuid, ${login.userId}::uuid, ${login.workspaceId}::uuid, now() + make_interval(secs => ${seconds}))`,
    );
  }

  async insertToken(connection: Queryable, loginId: string, hash: Buffer, seconds: number): Promise<void> {
    await connection.query(
      sql`INSERT INTO refresh_tokens (token_hash, login_id, expires_at) VALUES (${hash}, ${loginId}::uuid, now() + make_interval(secs => ${seconds}))`,
    );
  }

  /** Marks an unspent token as rotated: the row's lock lets exactly one of several callers through. Answers its login. */
  async rotate(connection: Queryable, hash: Buffer): Promise<string | undefined> {
    const rows = await connection.query<{ login_id: string }>(
      sql`UPDATE refresh_tokens SET rotated_at = clock_timestamp()
          WHERE token_hash = ${hash} AND rotated_at IS NULL AND expires_at > clock_timestamp() RETURNING login_id`,
    );
    return rows[0]?.login_id;
  }

  /** Prolongs a login that is not revoked; undefined when it is. */
  async prolong(connection: Queryable, id: string, seconds: number): Promise<{ userId: string; workspaceId: string } | undefined> {
    const rows = await connection.query<{ user_id: string; workspace_id: string }>(
      sql`UPDATE logins SET expires_at = now() + make_interval(secs => ${seconds}) WHERE id = ${id}::uuid AND revoked_at IS NULL RETURNING user_id, workspace_id`,
    );
    await connection.query(sql`DELETE FROM refresh_tokens WHERE login_id = ${id}::uuid AND expires_at < now()`);
    const row = rows[0];
    return row && { userId: row.user_id, workspaceId: row.workspace_id };
  }

  async findSpent(hash: Buffer): Promise<SpentToken | undefined> {
    const rows = await this.postgres.query<{
      login_id: string;
      user_id: string;
      workspace_id: string;
      revoked: boolean;
      seconds: number | null;
    }>(
      sql`SELECT t.login_id, l.user_id, l.workspace_id, l.revoked_at IS NOT NULL AS revoked, extract(epoch FROM clock_timestamp() - t.rotated_at)::float8 AS seconds
          FROM refresh_tokens t JOIN logins l ON l.id = t.login_id WHERE t.token_hash = ${hash}`,
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    const { login_id: loginId, user_id: userId, workspace_id: workspaceId, revoked, seconds: secondsSinceRotation } = row;
    return { loginId, userId, workspaceId, revoked, secondsSinceRotation };
  }

  async revokeAll(connection: Queryable, userId: string, reason: RevocationReason): Promise<void> {
    await connection.query(
      sql`UPDATE logins SET revoked_at = now(), revoked_for = ${reason} WHERE user_id = ${userId}::uuid AND revoked_at IS NULL`,
    );
  }

  async revoke(connection: Queryable, id: string, reason: RevocationReason): Promise<void> {
    await connection.query(
      sql`UPDATE logins SET revoked_at = now(), revoked_for = ${reason} WHERE id = ${id}::uuid AND revoked_at IS NULL`,
    );
  }
}
