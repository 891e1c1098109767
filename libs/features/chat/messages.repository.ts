import { Injectable } from '@nestjs/common';
import { PostgresClient, pageConditions, pageOf, pageOrder, raw, sql, type Queryable, type Sql } from '@backing/postgres';
import type { Page, PageQuery } from '@kernel/paging';
import type { ChatMessage } from './chat-message.entity';

const COLUMNS = raw(
  `id, session_id AS "sessionId", parent_id AS "parentId", active, role, content, reasoning, status, error, citations, usage, model,
   finish_reason AS "finishReason", job_id AS "jobId", feedback, created_at AS "createdAt"`,
);

/** One accepted question: the rows that are written together. */
export interface AcceptedQuestion {
  sessionId: string;
  workspaceId: string;
  ownerId: string;
  questionId: string;
  answerId: string;
  parentId: string | null;
  content: string;
  /** For a session without one. */
  title: string;
  model: string;
  job: { jobId: string; ctes: Sql };
}

export type MessageEnd = Pick<ChatMessage, 'content' | 'reasoning' | 'status' | 'error' | 'citations' | 'usage' | 'finishReason'>;

/** Rows of chat messages. */
@Injectable()
export class MessagesRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** Question, answer to come, job, its first event and its dispatch, and the session's title: one statement. */
  async accept(question: AcceptedQuestion): Promise<void> {
    const { sessionId, workspaceId, ownerId, questionId, answerId } = question;
    await this.postgres.query(
      sql`WITH ${question.job.ctes}, question_row AS (
            INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, parent_id, role, content, status)
            VALUES (${questionId}, ${sessionId}, ${workspaceId}, ${ownerId}, ${question.parentId}, 'user', ${question.content}, 'complete')
          ), answer_row AS (
            INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, parent_id, role, status, model, job_id)
            VALUES (${answerId}, ${sessionId}, ${workspaceId}, ${ownerId}, ${questionId}, 'assistant', 'queued', ${question.model}, ${question.job.jobId})
          )
          UPDATE chat_sessions SET title = coalesce(title, ${question.title}), version = version + 1, updated_at = now() WHERE id = ${sessionId}`,
    );
  }

  /** Another answer to the same question takes the place of the earlier one. */
  async acceptAgain(
    earlier: ChatMessage,
    answerId: string,
    owner: { workspaceId: string; ownerId: string },
    job: AcceptedQuestion['job'],
  ): Promise<void> {
    await this.postgres.query(
      sql`WITH ${job.ctes}, answer_row AS (
            INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, parent_id, role, status, model, job_id)
            VALUES (${answerId}, ${earlier.sessionId}, ${owner.workspaceId}, ${owner.ownerId}, ${earlier.parentId}, 'assistant', 'queued',
                    ${earlier.model}, ${job.jobId})
          )
          UPDATE chat_messages SET active = false, updated_at = now() WHERE id = ${earlier.id}`,
    );
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

  async lastActive(sessionId: string): Promise<string | undefined> {
    const rows = await this.postgres.query<{ id: string }>(
      sql`SELECT id FROM chat_messages WHERE session_id = ${sessionId} AND active ORDER BY id DESC LIMIT 1`,
    );
    return rows[0]?.id;
  }

  /** The active branch before a message, newest first. */
  async before(sessionId: string, id: string, limit: number): Promise<ChatMessage[]> {
    return this.postgres.query<ChatMessage>(
      sql`SELECT ${COLUMNS} FROM chat_messages WHERE session_id = ${sessionId} AND active AND id < ${id} ORDER BY id DESC LIMIT ${limit}`,
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

function jsonOrNull(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}
