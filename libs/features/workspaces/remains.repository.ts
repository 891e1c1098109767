import { Injectable } from '@nestjs/common';
import { PostgresClient, raw, sql, type Sql } from '@backing/postgres';

/** Rows that go in one statement, with what hangs on each. */
const SLICE = 32;
/** What many rows hang on; the rest goes with the row of the workspace. */
const TABLES = ['chat_sessions', 'agent_runs', 'jobs'] as const;

/** What a workspace or a person leaves in the tables of conversations, runs and jobs. */
@Injectable()
export class RemainsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async removeOfWorkspace(id: string): Promise<void> {
    await this.remove(sql`workspace_id = ${id}::uuid`);
  }

  /** What was private to a person, in every workspace. */
  async removeOfPerson(id: string): Promise<void> {
    await this.remove(sql`owner_id = ${id}::uuid AND visibility = 'private'`);
  }

  /** Deleted people of whom something private is left. */
  async deletedPeople(): Promise<string[]> {
    const left = TABLES.map((table) => sql`EXISTS (SELECT 1 FROM ${raw(table)} WHERE owner_id = u.id AND visibility = 'private')`);
    const [sessions, runs, jobs] = left;
    const rows = await this.postgres.query<{ id: string }>(
      sql`SELECT id FROM users u WHERE status = 'deleted' AND (${sessions} OR ${runs} OR ${jobs}) ORDER BY id`,
    );
    return rows.map(({ id }) => id);
  }

  private async remove(theirs: Sql): Promise<void> {
    for (const table of TABLES) while ((await this.slice(table, theirs)) === SLICE);
  }

  private async slice(table: (typeof TABLES)[number], theirs: Sql): Promise<number> {
    const rows = await this.postgres.query(
      sql`DELETE FROM ${raw(table)} WHERE id IN (SELECT id FROM ${raw(table)} WHERE ${theirs} LIMIT ${raw(String(SLICE))}) RETURNING id`,
    );
    return rows.length;
  }
}
