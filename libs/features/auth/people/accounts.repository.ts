import { Injectable } from '@nestjs/common';
import { PostgresClient, sql, type Queryable } from '@backing/postgres';
import type { Principal, Role } from '@kernel/identity';
import type { Account } from './account';

interface AccountRow {
  user_id: string;
  email: string;
  user_name: string | null;
  instance_admin: boolean;
  created_at: Date;
  workspace_id: string;
  workspace_name: string;
  role: Role;
}

export interface NewUser {
  userId: string;
  email: string;
  name: string | null;
  passwordHash: string;
}

const COLUMNS = sql`u.id AS user_id, u.email, u.name AS user_name, u.instance_admin, u.created_at, w.id AS workspace_id,
  w.name AS workspace_name, m.role`;

/** People as accounts: who they are, where they are members, and what proves them. */
@Injectable()
export class AccountsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async anyUser(): Promise<boolean> {
    const rows = await this.postgres.query<{ any: boolean }>(sql`SELECT EXISTS (SELECT 1 FROM users) AS any`);
    return rows[0]?.any === true;
  }

  /** Throws a unique violation: `users_first_admin` when there has been a first admin, `users_email_key` when the e-mail is taken. */
  async insertUser(connection: Queryable, { userId, email, name, passwordHash }: NewUser, firstAdmin: boolean): Promise<void> {
    await connection.query(
      sql`INSERT INTO users (id, email, name, password_hash, instance_admin, first_admin)
          VALUES (${userId}::uuid, ${email}, ${name}, ${passwordHash}, ${firstAdmin}, ${firstAdmin})`,
    );
  }

  async setPassword(connection: Queryable, userId: string, passwordHash: string): Promise<void> {
    await connection.query(sql`UPDATE users SET password_hash = ${passwordHash}, updated_at = now() WHERE id = ${userId}::uuid`);
  }

  async emailOf(userId: string): Promise<string> {
    const rows = await this.postgres.query<{ email: string }>(sql`SELECT email FROM users WHERE id = ${userId}::uuid`);
    const [row] = rows;
    if (row === undefined) throw new Error('The caller has no row.');
    return row.email;
  }

  async findCredentials(email: string): Promise<{ userId: string; passwordHash: string; active: boolean } | undefined> {
    const rows = await this.postgres.query<{ id: string; password_hash: string; status: string }>(
      sql`SELECT id, password_hash, status FROM users WHERE email = ${email} AND kind = 'person'`,
    );
    const row = rows[0];
    return row && { userId: row.id, passwordHash: row.password_hash, active: row.status === 'active' };
  }

  /** The caller's own account. A workspace's key is a user of its own, in the role of whoever made it. */
  async find({ userId, workspaceId, keyId }: Principal): Promise<Account | undefined> {
    const rows = await this.postgres.query<AccountRow>(
      sql`SELECT ${COLUMNS}
          FROM users u LEFT JOIN api_keys k ON k.id = ${keyId ?? null}::uuid AND k.owner_id = u.id AND k.workspace_id = ${workspaceId}::uuid
            JOIN memberships m ON m.user_id = coalesce(k.made_by, u.id) AND m.workspace_id = ${workspaceId}::uuid
            JOIN workspaces w ON w.id = m.workspace_id
          WHERE u.id = ${userId}::uuid AND u.status = 'active'`,
    );
    return rows.map(accountOf)[0];
  }

  /** The person in that workspace, or in the one joined first; undefined unless a member and active. */
  async findAccount(connection: Queryable, userId: string, workspaceId: string | null): Promise<Account | undefined> {
    const rows = await connection.query<AccountRow>(
      sql`SELECT ${COLUMNS} FROM users u JOIN memberships m ON m.user_id = u.id JOIN workspaces w ON w.id = m.workspace_id
          WHERE u.id = ${userId}::uuid AND u.status = 'active' AND (${workspaceId}::uuid IS NULL OR w.id = ${workspaceId}::uuid)
          ORDER BY m.created_at, w.id LIMIT 1`,
    );
    return rows.map(accountOf)[0];
  }
}

function accountOf(row: AccountRow): Account {
  return {
    user: { id: row.user_id, email: row.email, name: row.user_name, instanceAdmin: row.instance_admin, createdAt: row.created_at },
    workspace: { id: row.workspace_id, name: row.workspace_name, role: row.role },
  };
}
