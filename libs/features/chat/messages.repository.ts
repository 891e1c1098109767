import { Injectable } from '@nestjs/common';
import { PostgresClient, empty, pageConditions, pageOf, pageOrder, raw, sql, type Queryable, type Sql } from '@backing/postgres';
import type { Page, PageQuery } from '@kernel/paging';
import type { ChatMessage, Feedback } from './chat-message.entity';
import type { ChatSession } from './chat-session.entity';

const COLUMNS = raw(
  `id, session_id AS "sessionId", parent_id AS "parentId", active, role, content, reasoning, status, error, citations, usage, model,
   finish_reason AS "finishReason", job_id AS "jobId", feedback, created_at AS "createdAt"`,
);

/** One accepted answer, with its question unless that is there already: the rows that are written together. */
export interface AcceptedAnswer {
  /** As it was read: another version by now and nothing is accepted. */
  session: ChatSession;
  /** The message after which the branch goes on: the question's parent, or the question that is there already. */
  after: string | null;
  question?: { id: string; content: string };
  answerId: string;
  /** For a session without one. */
  title: string | null;
  model: string;
  job: { jobId: string; ctes: Sql };
}

export type MessageEnd = Pick<ChatMessage, 'content' | 'reasoning' | 'status' | 'error' | 'citations' | 'usage' | 'finishReason'>;

/** Rows of chat messages. */
@Injectable()
export class MessagesRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /**
   * Question, answer to come, job, its first event and its dispatch, the session's title, and the switch to the branch that they are on: one
   * statement. When the session has changed since it was read, a row without a session stops it all (`not_null_violation`).
   */
  async accept({ session, after, question, answerId, title, model, job }: AcceptedAnswer): Promise<void> {
    const held = sql`(SELECT id FROM session_row)`;
    const asked =
      question === undefined
        ? empty
        : sql`, question_row AS (
            INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, parent_id, role, content, status)
            VALUES (${question.id}, ${held}, ${session.workspaceId}, ${session.ownerId}, ${after}, 'user', ${question.content}, 'complete')
          )`;
    await this.postgres.query(
      sql`WITH RECURSIVE ${job.ctes}, ${heldSession(session, title)}, ${path(session.id, after)},
          switched AS (${switchTo(held, sql`SELECT id FROM path`)})${asked}
          INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, parent_id, role, status, model, job_id)
          VALUES (${answerId}, ${held}, ${session.workspaceId}, ${session.ownerId}, ${question?.id ?? after}, 'assistant', 'queued', ${model}, ${job.jobId})`,
      { name: question === undefined ? 'messages.accept-again' : 'messages.accept' },
    );
  }

  /** Makes the branch through a message the active one, below it that of the newest messages. False: the session has changed since it was read. */
  async activate(session: ChatSession, id: string): Promise<boolean> {
    const rows = await this.postgres.query<{ id: string }>(
      sql`WITH RECURSIVE ${heldSession(session, null)}, ${path(session.id, id)},
          below AS (
            SELECT ${id}::uuid AS id
            UNION ALL
            SELECT child.id FROM below CROSS JOIN LATERAL (
              SELECT m.id FROM chat_messages m WHERE m.parent_id = below.id ORDER BY m.id DESC LIMIT 1) AS child
          ), switched AS (${switchTo(sql`(SELECT id FROM session_row)`, sql`SELECT id FROM path UNION SELECT id FROM below`)})
          SELECT id FROM session_row`,
    );
    return rows.length > 0;
  }

  async rate(id: string, feedback: Feedback | null): Promise<ChatMessage | undefined> {
    const rows = await this.postgres.query<ChatMessage>(
      sql`UPDATE chat_messages SET feedback = ${jsonOrNull(feedback)}::jsonb, updated_at = now() WHERE id = ${id} RETURNING ${COLUMNS}`,
    );
    return rows[0];
  }

  async list(sessionId: string, page: PageQuery): Promise<Page<ChatMessage>> {
    const rows = await this.postgres.query<ChatMessage>(
      sql`SELECT ${COLUMNS} FROM chat_messages WHERE session_id = ${sessionId}${pageConditions(page)}${pageOrder(page)}`,
    );
    return pageOf(rows, page);
  }

  async find(id: string): Promise<ChatMessage | undefined> {
    const rows = await this.postgres.query<ChatMessage>(sql`SELECT ${COLUMNS} FROM chat_messages WHERE id = ${id}`);
    return rows[0];
  }

  /** The job of the answer that the session is waiting for. */
  async answering(sessionId: string): Promise<string | undefined> {
    const rows = await this.postgres.query<{ job_id: string }>(
      sql`SELECT job_id FROM chat_messages WHERE session_id = ${sessionId} AND status IN ('queued', 'streaming')`,
    );
    return rows[0]?.job_id;
  }

  /** The end of the active branch. */
  async lastActive(sessionId: string): Promise<string | undefined> {
    const rows = await this.postgres.query<{ id: string }>(
      sql`SELECT id FROM chat_messages m WHERE session_id = ${sessionId} AND active
            AND NOT EXISTS (SELECT FROM chat_messages c WHERE c.parent_id = m.id AND c.active)
          ORDER BY id DESC LIMIT 1`,
    );
    return rows[0]?.id;
  }

  /** The answer to a question that is on the active branch, else its newest one. */
  async answerTo(question: ChatMessage): Promise<ChatMessage | undefined> {
    const rows = await this.postgres.query<ChatMessage>(
      sql`SELECT ${COLUMNS} FROM chat_messages WHERE parent_id = ${question.id} AND role = 'assistant' ORDER BY active DESC, id DESC LIMIT 1`,
    );
    return rows[0];
  }

  /** The first message of the branch that leads to a message. */
  async firstOf(id: string): Promise<ChatMessage | undefined> {
    const rows = await this.postgres.query<ChatMessage>(
      sql`WITH RECURSIVE branch AS (
            SELECT * FROM chat_messages WHERE id = ${id} UNION ALL SELECT m.* FROM chat_messages m JOIN branch ON m.id = branch.parent_id
          )
          SELECT ${COLUMNS} FROM branch WHERE parent_id IS NULL`,
    );
    return rows[0];
  }

  /** The branch that leads to a message and ends with it, oldest first; of a long one the last `limit` messages. */
  async branch(id: string, limit: number): Promise<ChatMessage[]> {
    return this.postgres.query<ChatMessage>(
      sql`WITH RECURSIVE branch AS (
            SELECT *, 1 AS place FROM chat_messages WHERE id = ${id}
            UNION ALL
            SELECT m.*, branch.place + 1 FROM chat_messages m JOIN branch ON m.id = branch.parent_id WHERE branch.place < ${limit}
          )
          SELECT ${COLUMNS} FROM branch ORDER BY place DESC`,
    );
  }

  async stream(connection: Queryable, id: string): Promise<void> {
    await connection.query(
      sql`UPDATE chat_messages SET status = 'streaming', updated_at = now() WHERE id = ${id} AND status IN ('queued', 'streaming')`,
    );
  }

  /** Undefined when the message went with its session. */
  async end(connection: Queryable, id: string, end: MessageEnd): Promise<ChatMessage | undefined> {
    const rows = await connection.query<ChatMessage>(
      sql`UPDATE chat_messages SET content = ${end.content}, reasoning = ${end.reasoning}, status = ${end.status}, error = ${jsonOrNull(end.error)}::jsonb,
            citations = ${JSON.stringify(end.citations)}::jsonb, usage = ${jsonOrNull(end.usage)}::jsonb, finish_reason = ${end.finishReason}, updated_at = now()
          WHERE id = ${id}
          RETURNING ${COLUMNS}`,
    );
    return rows[0];
  }
}

/** Takes the session's row first, so that what is read of its branches cannot change until the end. */
function heldSession({ id, version }: ChatSession, title: string | null): Sql {
  return sql`session_row AS (
      UPDATE chat_sessions SET title = coalesce(title, ${title}), version = version + 1, updated_at = now()
      WHERE id = ${id} AND version = ${version} RETURNING id
    )`;
}

/** From a message up to the first one. */
function path(sessionId: string, last: string | null): Sql {
  return sql`path AS (
      SELECT id, parent_id FROM chat_messages WHERE id = ${last}::uuid AND session_id = ${sessionId}
      UNION ALL
      SELECT m.id, m.parent_id FROM chat_messages m JOIN path ON m.id = path.parent_id
    )`;
}

function switchTo(session: Sql, branch: Sql): Sql {
  return sql`UPDATE chat_messages SET active = NOT active, updated_at = now() WHERE session_id = ${session} AND active <> (id IN (${branch}))`;
}

function jsonOrNull(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}
