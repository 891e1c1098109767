import { Injectable } from '@nestjs/common';
import { PostgresClient, pageConditions, pageOf, pageOrder, sql, type Queryable } from '@backing/postgres';
import type { Role } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import type { Member } from './workspace';

interface Row {
  id: string;
  email: string;
  name: string | null;
  role: Role;
  version: number;
  created_at: Date;
}

/** Who is in a workspace, in which role. */
@Injectable()
export class MembershipsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** Of an active person. */
  async role(connection: Queryable, workspaceId: string, userId: string): Promise<Role | undefined> {
    const rows = await connection.query<{ role: Role }>(
      sql`SELECT m.role FROM memberships m JOIN users u ON u.id = m.user_id
          WHERE m.workspace_id = ${workspaceId}::uuid AND m.user_id = ${userId}::uuid AND u.status = 'active'`,
    );
    return rows[0]?.role;
  }

  /** The active person whose rights bound this key. */
  async holder(connection: Queryable, keyId: string): Promise<string | undefined> {
    const rows = await connection.query<{ id: string }>(
      sql`SELECT u.id FROM api_keys k JOIN users u ON u.id = coalesce(k.made_by, k.owner_id)
          WHERE k.id = ${keyId}::uuid AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AND u.status = 'active'`,
    );
    return rows[0]?.id;
  }

  async page(workspaceId: string, page: PageQuery): Promise<Page<Member>> {
    const rows = await this.postgres.query<Row>(
      sql`SELECT * FROM (${members(workspaceId)}) AS members WHERE true ${pageConditions(page)} ${pageOrder(page)}`,
    );
    return pageOf(rows.map(memberOf), page);
  }

  async find(connection: Queryable, workspaceId: string, userId: string): Promise<Member | undefined> {
    const rows = await connection.query<Row>(sql`SELECT * FROM (${members(workspaceId)}) AS members WHERE id = ${userId}::uuid`);
    return rows.map(memberOf)[0];
  }

  /** Whether an active owner is left without that person. */
  async ownedWithout(connection: Queryable, workspaceId: string, userId: string): Promise<boolean> {
    const rows = await connection.query(
      sql`SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id
          WHERE m.workspace_id = ${workspaceId}::uuid AND m.role = 'owner' AND m.user_id <> ${userId}::uuid AND u.status = 'active' LIMIT 1`,
    );
    return rows.length > 0;
  }

  /** Somebody who is a member already stays what they are; false then. */
  async insert(connection: Queryable, workspaceId: string, userId: string, role: Role): Promise<boolean> {
    const rows = await connection.query(
      sql`INSERT INTO memberships (workspace_id, user_id, role) VALUES (${workspaceId}::uuid, ${userId}::uuid, ${role})
          ON CONFLICT (workspace_id, user_id) DO NOTHING RETURNING role`,
    );
    return rows.length > 0;
  }

  async change(connection: Queryable, workspaceId: string, userId: string, role: Role): Promise<void> {
    await connection.query(
      sql`UPDATE memberships SET role = ${role}, version = version + 1
          WHERE workspace_id = ${workspaceId}::uuid AND user_id = ${userId}::uuid`,
    );
  }

  /** Ends the membership, and with it the logins and the keys that the person has there. */
  async remove(connection: Queryable, workspaceId: string, userId: string): Promise<void> {
    await connection.query(sql`DELETE FROM memberships WHERE workspace_id = ${workspaceId}::uuid AND user_id = ${userId}::uuid`);
    await connection.query(
      sql`UPDATE logins SET revoked_at = now(), revoked_for = 'removed'
          WHERE workspace_id = ${workspaceId}::uuid AND user_id = ${userId}::uuid AND revoked_at IS NULL`,
    );
    await connection.query(
      sql`UPDATE api_keys SET revoked_at = now()
          WHERE workspace_id = ${workspaceId}::uuid AND coalesce(made_by, owner_id) = ${userId}::uuid AND revoked_at IS NULL`,
    );
  }
}

const members = (workspaceId: string) =>
  sql`SELECT u.id, u.email, u.name, m.role, m.version, m.created_at FROM memberships m JOIN users u ON u.id = m.user_id
      WHERE m.workspace_id = ${workspaceId}::uuid`;

function memberOf({ id, email, name, role, version, created_at: joinedAt }: Row): Member {
  return { id, email, name, role, version, joinedAt };
}
