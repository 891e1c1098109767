import { Injectable } from '@nestjs/common';
import { PostgresClient, sql } from '@backing/postgres';
import type { Principal } from '@kernel/identity';

/** Which stored answers somebody may see now. */
@Injectable()
export class VisibleAnswersRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** Of these answers the caller's own and those in sessions that are shared with the workspace; they must still cite the document. */
  async of({ workspaceId, userId }: Principal, documentId: string, ids: string[]): Promise<Set<string>> {
    if (ids.length === 0) return new Set();
    const cites = JSON.stringify([{ document_id: documentId }]);
    const rows = await this.postgres.query<{ id: string }>(
      sql`SELECT m.id FROM chat_messages m JOIN chat_sessions s ON s.id = m.session_id
          WHERE m.id = ANY(${ids}::uuid[]) AND s.workspace_id = ${workspaceId} AND (s.owner_id = ${userId} OR s.visibility = 'workspace')
            AND m.citations @> ${cites}::jsonb`,
    );
    return new Set(rows.map(({ id }) => id));
  }
}
