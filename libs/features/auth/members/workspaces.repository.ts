import { Injectable } from '@nestjs/common';
import { PostgresClient, empty, pageConditions, pageOf, pageOrder, sql, type Queryable, type Sql } from '@backing/postgres';
import type { Role } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import type { Workspace } from './workspace';

interface Row {
  id: string;
  name: string;
  role: Role;
  version: number;
  created_at: Date;
  updated_at: Date;
}

/** Workspaces that are not deleted, seen by their members. */
@Injectable()
export class WorkspacesRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async insert(connection: Queryable, id: string, name: string, ownerId: string): Promise<void> {
    await connection.query(sql`INSERT INTO workspaces (id, name, owner_id) VALUES (${id}::uuid, ${name}, ${ownerId}::uuid)`);
  }

  /** Holds the workspace until the transaction ends, so that its members change one after the other. False when there is none. */
  async lock(connection: Queryable, id: string): Promise<boolean> {
    const rows = await connection.query(sql`SELECT id FROM workspaces WHERE id = ${id}::uuid AND deleted_at IS NULL FOR UPDATE`);
    return rows.length > 0;
  }

  async find(connection: Queryable, id: string, userId: string): Promise<Workspace | undefined> {
    return (await select(connection, userId, sql`AND w.id = ${id}::uuid`, empty)).map(workspaceOf)[0];
  }

  /** Of one person; `only` narrows it to one workspace. */
  async page(userId: string, only: string | undefined, page: PageQuery): Promise<Page<Workspace>> {
    const narrowed = only === undefined ? empty : sql`AND w.id = ${only}::uuid`;
    const rows = await select(this.postgres, userId, narrowed, sql`WHERE true ${pageConditions(page)} ${pageOrder(page)}`);
    return pageOf(rows.map(workspaceOf), page);
  }

  async countOf(connection: Queryable, userId: string): Promise<number> {
    const rows = await connection.query<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM memberships WHERE user_id = ${userId}::uuid`,
    );
    return rows[0]?.count ?? 0;
  }

  async rename(connection: Queryable, id: string, name: string): Promise<void> {
    await connection.query(sql`UPDATE workspaces SET name = ${name}, version = version + 1, updated_at = now() WHERE id = ${id}::uuid`);
  }

  /** From now on nobody is in it, and nothing lets anybody in. */
  async close(connection: Queryable, id: string): Promise<void> {
    await connection.query(sql`UPDATE workspaces SET deleted_at = now(), updated_at = now() WHERE id = ${id}::uuid`);
    await connection.query(sql`UPDATE api_keys SET revoked_at = now() WHERE workspace_id = ${id}::uuid AND revoked_at IS NULL`);
    for (const table of [sql`memberships`, sql`logins`, sql`invitations`, sql`idempotency_keys`])
      await connection.query(sql`DELETE FROM ${table} WHERE workspace_id = ${id}::uuid`);
  }

  /** Deleted workspaces whose row is still there. */
  async closed(): Promise<string[]> {
    const rows = await this.postgres.query<{ id: string }>(sql`SELECT id FROM workspaces WHERE deleted_at IS NOT NULL ORDER BY id`);
    return rows.map(({ id }) => id);
  }

  /** The end of a closed workspace, with everything that hangs on it; false while it has collections, whose points must go first. */
  async remove(id: string): Promise<boolean> {
    const rows = await this.postgres.query(
      sql`DELETE FROM workspaces w WHERE w.id = ${id}::uuid AND w.deleted_at IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM collections WHERE workspace_id = w.id) RETURNING id`,
    );
    return rows.length > 0;
  }
}

function select(connection: Queryable, userId: string, narrowed: Sql, end: Sql): Promise<Row[]> {
  return connection.query<Row>(
    sql`SELECT * FROM (
          SELECT w.id, w.name, m.role, w.version, w.created_at, w.updated_at
          FROM workspaces w JOIN memberships m ON m.workspace_id = w.id
          WHERE m.user_id = ${userId}::uuid AND w.deleted_at IS NULL ${narrowed}) AS own ${end}`,
  );
}

function workspaceOf(row: Row): Workspace {
  const { id, name, role, version, created_at: createdAt, updated_at: updatedAt } = row;
  return { id, name, role, version, createdAt, updatedAt };
}
