import { Injectable } from '@nestjs/common';
import { PostgresClient, pageConditions, pageOf, pageOrder, raw, sql } from '@backing/postgres';
import { subjectVisibility } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import { v7 } from 'uuid';
import { chatAnswer } from './chat.jobs';
import type { ChatSession, SessionFields } from './chat-session.entity';

const COLUMNS = raw(
  `id, workspace_id AS "workspaceId", owner_id AS "ownerId", visibility, title, model, system, collections, options, version,
   created_at AS "createdAt", updated_at AS "updatedAt"`,
);

/** Rows of chat sessions. */
@Injectable()
export class SessionsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async insert(principal: Principal, fields: SessionFields): Promise<ChatSession> {
    const rows = await this.postgres.query<ChatSession>(
      sql`INSERT INTO chat_sessions (id, workspace_id, owner_id, visibility, title, model, system, collections, options)
          VALUES (${v7()}, ${principal.workspaceId}, ${principal.userId}, ${fields.visibility}, ${fields.title}, ${fields.model},
                  ${fields.system}, ${fields.collections}::text[], ${JSON.stringify(fields.options)}::jsonb)
          RETURNING ${COLUMNS}`,
    );
    return only(rows);
  }

  /** The caller's own, or one that the workspace may see. */
  async findVisible({ workspaceId, userId }: Principal, id: string): Promise<ChatSession | undefined> {
    const rows = await this.postgres.query<ChatSession>(
      sql`SELECT ${COLUMNS} FROM chat_sessions
          WHERE id = ${id} AND workspace_id = ${workspaceId} AND (owner_id = ${userId} OR visibility = 'workspace')`,
    );
    return rows[0];
  }

  async find(id: string): Promise<ChatSession | undefined> {
    const rows = await this.postgres.query<ChatSession>(sql`SELECT ${COLUMNS} FROM chat_sessions WHERE id = ${id}`);
    return rows[0];
  }

  async list({ workspaceId, userId }: Principal, page: PageQuery): Promise<Page<ChatSession>> {
    const rows = await this.postgres.query<ChatSession>(
      sql`SELECT ${COLUMNS} FROM chat_sessions
          WHERE workspace_id = ${workspaceId} AND (owner_id = ${userId} OR visibility = 'workspace')${pageConditions(page)}${pageOrder(page)}`,
    );
    return pageOf(rows, page);
  }

  /** With the jobs of its answers, which the same people see. Undefined when the session has another version (or is gone) by now. */
  async update(session: ChatSession, fields: SessionFields): Promise<ChatSession | undefined> {
    const rows = await this.postgres.query<ChatSession>(
      sql`WITH changed AS (
          UPDATE chat_sessions SET visibility = ${fields.visibility}, title = ${fields.title}, model = ${fields.model}, system = ${fields.system},
            collections = ${fields.collections}::text[], options = ${JSON.stringify(fields.options)}::jsonb, version = version + 1, updated_at = now()
          WHERE id = ${session.id} AND version = ${session.version} RETURNING *
          ), ${subjectVisibility(chatAnswer.kind, sql`(SELECT id FROM changed)`, fields.visibility)}
          SELECT ${COLUMNS} FROM changed`,
    );
    return rows[0];
  }

  async delete(id: string): Promise<void> {
    await this.postgres.query(sql`DELETE FROM chat_sessions WHERE id = ${id}`);
  }
}

function only(rows: ChatSession[]): ChatSession {
  const [row] = rows;
  if (row === undefined) throw new Error('An inserted session did not come back.');
  return row;
}
