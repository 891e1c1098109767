import { Injectable } from '@nestjs/common';
import { PostgresClient, pageConditions, pageOf, pageOrder, sql, type Queryable } from '@backing/postgres';
import type { Role } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import type { Person } from './account';

interface Row {
  id: string;
  email: string;
  name: string | null;
  instance_admin: boolean;
  status: Person['status'];
  version: number;
  created_at: Date;
}

/** A person in one workspace, and how it would stand without them. */
export interface OwnMembership {
  id: string;
  name: string;
  role: Role;
  /** By somebody else who is active. */
  owned: boolean;
  /** Somebody else is in it. */
  others: boolean;
}

const COLUMNS = sql`id, email, name, instance_admin, status, version, created_at`;
/** Service users and people who were deleted are nobody. */
const SOMEBODY = sql`kind = 'person' AND status <> 'deleted'`;

/** The people of an instance. */
@Injectable()
export class UsersRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async page(page: PageQuery): Promise<Page<Person>> {
    const rows = await this.postgres.query<Row>(
      sql`SELECT ${COLUMNS} FROM users WHERE ${SOMEBODY} ${pageConditions(page)} ${pageOrder(page)}`,
    );
    return pageOf(rows.map(personOf), page);
  }

  async find(id: string): Promise<Person | undefined> {
    const rows = await this.postgres.query<Row>(sql`SELECT ${COLUMNS} FROM users WHERE id = ${id}::uuid AND ${SOMEBODY}`);
    return rows.map(personOf)[0];
  }

  /** Holds the person until the transaction ends. */
  async lock(connection: Queryable, id: string): Promise<Person | undefined> {
    const rows = await connection.query<Row>(sql`SELECT ${COLUMNS} FROM users WHERE id = ${id}::uuid AND ${SOMEBODY} FOR UPDATE`);
    return rows.map(personOf)[0];
  }

  /** Holds all active instance admins, so that they are unmade one after the other; answers who they are then. */
  async lockAdmins(connection: Queryable): Promise<Set<string>> {
    const rows = await connection.query<{ id: string }>(
      sql`SELECT id FROM users WHERE instance_admin AND status = 'active' AND ${SOMEBODY} ORDER BY id FOR UPDATE`,
    );
    return new Set(rows.map(({ id }) => id));
  }

  async update(connection: Queryable, id: string, { name, status, instanceAdmin }: Person): Promise<void> {
    await connection.query(
      sql`UPDATE users SET name = ${name}, status = ${status}, instance_admin = ${instanceAdmin}, version = version + 1, updated_at = now()
          WHERE id = ${id}::uuid`,
    );
  }

  /** Holds the workspaces that the person is in, until the transaction ends. */
  async lockWorkspacesOf(connection: Queryable, id: string): Promise<void> {
    await connection.query(
      sql`SELECT id FROM workspaces WHERE id IN (SELECT workspace_id FROM memberships WHERE user_id = ${id}::uuid) ORDER BY id FOR UPDATE`,
    );
  }

  async memberships(connection: Queryable, id: string): Promise<OwnMembership[]> {
    return connection.query(
      sql`SELECT w.id, w.name, m.role,
            EXISTS (SELECT 1 FROM memberships o JOIN users u ON u.id = o.user_id
              WHERE o.workspace_id = w.id AND o.user_id <> m.user_id AND o.role = 'owner' AND u.status = 'active') AS owned,
            EXISTS (SELECT 1 FROM memberships o WHERE o.workspace_id = w.id AND o.user_id <> m.user_id) AS others
          FROM memberships m JOIN workspaces w ON w.id = m.workspace_id
          WHERE m.user_id = ${id}::uuid ORDER BY w.id`,
    );
  }

  /** Takes away who a person was and everything that lets them in; what they made for others keeps an owner without a name. */
  async empty(connection: Queryable, id: string, email: string): Promise<void> {
    await connection.query(
      sql`UPDATE users SET status = 'deleted', email = ${`deleted-${id}@deleted.invalid`}, name = NULL, password_hash = '!', instance_admin = false,
            version = version + 1, updated_at = now() WHERE id = ${id}::uuid`,
    );
    await connection.query(
      sql`UPDATE api_keys SET revoked_at = now(), name = 'deleted' WHERE coalesce(made_by, owner_id) = ${id}::uuid AND revoked_at IS NULL`,
    );
    await connection.query(sql`DELETE FROM logins WHERE user_id = ${id}::uuid`);
    await connection.query(sql`DELETE FROM memberships WHERE user_id = ${id}::uuid`);
    await connection.query(sql`DELETE FROM password_resets WHERE user_id = ${id}::uuid`);
    await connection.query(sql`DELETE FROM idempotency_keys WHERE user_id = ${id}::uuid`);
    await connection.query(sql`DELETE FROM invitations WHERE email = ${email}`);
  }
}

function personOf({ id, email, name, instance_admin: instanceAdmin, status, version, created_at: createdAt }: Row): Person {
  return { id, email, name, instanceAdmin, status, version, createdAt };
}
