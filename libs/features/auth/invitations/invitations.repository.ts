import { Injectable } from '@nestjs/common';
import { PostgresClient, pageConditions, pageOf, pageOrder, sql, type Queryable } from '@backing/postgres';
import type { Role } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import type { Invitation } from '../members/workspace';

interface Row {
  id: string;
  email: string;
  role: Role;
  invited_by: string;
  created_at: Date;
  expires_at: Date;
}

/** An invitation that its bearer may accept, with the account that its e-mail has. */
export interface OpenInvitation {
  id: string;
  workspaceId: string;
  email: string;
  role: Role;
  /** Null: nobody has an account with this e-mail. */
  userId: string | null;
}

const COLUMNS = sql`id, email, role, invited_by, created_at, expires_at`;
const OPEN = sql`accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()`;
/**
 * Whoever invited must still be one who may: an admin who was removed or demoted does not come back by an invitation written in time, nor does
 * anybody get by one more than its writer could give today.
 */
const STANDS = sql`EXISTS (
  SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id
  WHERE m.workspace_id = i.workspace_id AND m.user_id = i.invited_by AND u.status = 'active' AND m.role IN ('admin', 'owner')
    AND (i.role <> 'owner' OR m.role = 'owner'))`;

/** Invitations by the database's clock; a token is known by its hash alone. */
@Injectable()
export class InvitationsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** Takes the place of open ones for the same e-mail. */
  async insert(
    connection: Queryable,
    workspaceId: string,
    invitation: Pick<Invitation, 'id' | 'email' | 'role' | 'invitedBy'>,
    token: { hash: Buffer; seconds: number },
  ): Promise<Invitation> {
    const { id, email, role, invitedBy } = invitation;
    await connection.query(
      sql`UPDATE invitations SET revoked_at = now() WHERE workspace_id = ${workspaceId}::uuid AND email = ${email} AND ${OPEN}`,
    );
    const rows = await connection.query<Row>(
      sql`INSERT INTO invitations (id, workspace_id, email, role, token_hash, invited_by, expires_at)
          VALUES (${id}::uuid, ${workspaceId}::uuid, ${email}, ${role}, ${token.hash}, ${invitedBy}::uuid, now() + make_interval(secs => ${token.seconds}))
          RETURNING ${COLUMNS}`,
    );
    const [row] = rows.map(invitationOf);
    if (row === undefined) throw new Error('The insert of an invitation answered no row.');
    return row;
  }

  async memberWith(connection: Queryable, workspaceId: string, email: string): Promise<boolean> {
    const rows = await connection.query(
      sql`SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.workspace_id = ${workspaceId}::uuid AND u.email = ${email}`,
    );
    return rows.length > 0;
  }

  /** Those that can still be accepted. */
  async page(workspaceId: string, page: PageQuery): Promise<Page<Invitation>> {
    const rows = await this.postgres.query<Row>(
      sql`SELECT ${COLUMNS} FROM invitations WHERE workspace_id = ${workspaceId}::uuid AND ${OPEN} ${pageConditions(page)} ${pageOrder(page)}`,
    );
    return pageOf(rows.map(invitationOf), page);
  }

  /** False when there is no such open one. */
  async revoke(connection: Queryable, workspaceId: string, id: string): Promise<boolean> {
    const rows = await connection.query(
      sql`UPDATE invitations SET revoked_at = now() WHERE id = ${id}::uuid AND workspace_id = ${workspaceId}::uuid AND ${OPEN} RETURNING id`,
    );
    return rows.length > 0;
  }

  async findOpen(hash: Buffer): Promise<OpenInvitation | undefined> {
    const rows = await this.postgres.query<{ id: string; workspace_id: string; email: string; role: Role; user_id: string | null }>(
      sql`SELECT i.id, i.workspace_id, i.email, i.role, u.id AS user_id FROM invitations i LEFT JOIN users u ON u.email = i.email
          WHERE i.token_hash = ${hash} AND ${OPEN} AND ${STANDS}`,
    );
    const row = rows[0];
    return row && { id: row.id, workspaceId: row.workspace_id, email: row.email, role: row.role, userId: row.user_id };
  }

  /** Exactly one of several callers gets true. */
  async take(connection: Queryable, id: string): Promise<boolean> {
    const rows = await connection.query(
      sql`UPDATE invitations i SET accepted_at = now() WHERE i.id = ${id}::uuid AND ${OPEN} AND ${STANDS} RETURNING i.id`,
    );
    return rows.length > 0;
  }
}

function invitationOf({ id, email, role, invited_by: invitedBy, created_at: createdAt, expires_at: expiresAt }: Row): Invitation {
  return { id, email, role, invitedBy, createdAt, expiresAt };
}
