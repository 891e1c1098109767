import { createHash, createHmac, randomBytes } from 'node:crypto';
import { type PostgresClient, sql } from '@backing/postgres';
import type { Role, Scope } from '@kernel/identity';
import { v7 } from 'uuid';
import type { TestApi } from '../../support/api';

export const PASSWORD = 'correct horse battery staple';

export interface Person {
  userId: string;
  email: string;
  /** The workspace that came with the account. */
  ownWorkspaceId: string;
}

/**
 * Makes people, memberships, logins and keys by SQL: in no time, and in states that the product reaches only by and by. Everybody's password is PASSWORD.
 */
export class People {
  private constructor(
    private readonly database: PostgresClient,
    private readonly jwtSecret: string,
    private readonly passwordHash: string,
  ) {}

  /** Registers the first person of the instance, if nobody has: its password's hash is everybody's. */
  static async of(api: TestApi, database: PostgresClient): Promise<People> {
    const hash = () => database.query<{ password_hash: string }>(sql`SELECT password_hash FROM users ORDER BY created_at LIMIT 1`);
    if ((await hash()).length === 0) await api.register('first@example.org', PASSWORD);
    return new People(database, api.directory.secret('jwt'), (await hash())[0]?.password_hash ?? '');
  }

  async make(
    name: string,
    { instanceAdmin = false, status = 'active' }: { instanceAdmin?: boolean; status?: 'active' | 'suspended' | 'deleted' } = {},
  ): Promise<Person> {
    const userId = v7();
    const email = `${userId}@example.org`;
    await this.database.query(
      sql`INSERT INTO users (id, email, name, password_hash, instance_admin, status)
          VALUES (${userId}::uuid, ${email}, ${name}, ${this.passwordHash}, ${instanceAdmin}, ${status})`,
    );
    return { userId, email, ownWorkspaceId: await this.workspace(userId, `Own of ${name}`) };
  }

  /** A workspace with the collection `default`, owned by a person. */
  async workspace(ownerId: string, name: string): Promise<string> {
    const id = v7();
    await this.database.query(sql`INSERT INTO workspaces (id, name, owner_id) VALUES (${id}::uuid, ${name}, ${ownerId}::uuid)`);
    await this.join(ownerId, id, 'owner');
    await this.database.query(
      sql`INSERT INTO collections (id, workspace_id, owner_id, name) VALUES (${v7()}::uuid, ${id}::uuid, ${ownerId}::uuid, 'default')`,
    );
    return id;
  }

  async join(userId: string, workspaceId: string, role: Role): Promise<void> {
    await this.database.query(
      sql`INSERT INTO memberships (workspace_id, user_id, role) VALUES (${workspaceId}::uuid, ${userId}::uuid, ${role})
          ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role`,
    );
  }

  /** An access token of a new login in a workspace. */
  async token(userId: string, workspaceId: string, { revoked = false } = {}): Promise<string> {
    const login = v7();
    await this.database.query(
      sql`INSERT INTO logins (id, user_id, workspace_id, expires_at, revoked_at, revoked_for)
          VALUES (${login}::uuid, ${userId}::uuid, ${workspaceId}::uuid, now() + interval '1 day',
                  CASE WHEN ${revoked}::boolean THEN now() END, CASE WHEN ${revoked}::boolean THEN 'logout' END)`,
    );
    return this.signed({ sub: userId, sid: login, wid: workspaceId });
  }

  /** The secret of a new API key of a person in a workspace. */
  async key(
    userId: string,
    workspaceId: string,
    scopes: readonly Scope[],
    { revoked = false } = {},
  ): Promise<{ id: string; secret: string }> {
    const id = v7();
    const secret = `sk-${randomBytes(32).toString('base64url')}`;
    const hash = createHash('sha256').update(secret).digest();
    await this.database.query(
      sql`INSERT INTO api_keys (id, workspace_id, owner_id, name, secret_hash, secret_hint, scopes, revoked_at)
          VALUES (${id}::uuid, ${workspaceId}::uuid, ${userId}::uuid, 'key', ${hash}, ${secret.slice(-4)}, ${[...scopes]}::text[],
                  CASE WHEN ${revoked}::boolean THEN now() END)`,
    );
    return { id, secret };
  }

  /** A JWT as the server signs it; `header` and `claims` over the usual ones. */
  signed(claims: Record<string, unknown>, header: Record<string, unknown> = {}, secret = this.jwtSecret): string {
    const now = Math.floor(Date.now() / 1000);
    const encoded = [
      { alg: 'HS256', typ: 'at+jwt', ...header },
      { iat: now, exp: now + 900, aud: 'sutazai-api', iss: 'sutazai', ...claims },
    ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
    const signature = createHmac('sha256', secret).update(encoded.join('.')).digest('base64url');
    return [...encoded, signature].join('.');
  }
}
