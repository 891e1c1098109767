import { Injectable } from '@nestjs/common';
import { PostgresClient, pageConditions, pageOf, pageOrder, raw, sql, type Queryable } from '@backing/postgres';
import type { Page, PageQuery } from '@kernel/paging';
import { v7 } from 'uuid';
import type { Agent, AgentFields } from './agent.entity';

const COLUMNS = raw(
  `id, workspace_id AS "workspaceId", owner_id AS "ownerId", name, strategy, instructions, model, tools, collections, output_schema AS "outputSchema",
   limits, version, created_at AS "createdAt", updated_at AS "updatedAt"`,
);

/** Rows of agents. A name that the workspace has already breaks `agents_name`. */
@Injectable()
export class AgentsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async insert(workspaceId: string, ownerId: string | null, fields: AgentFields): Promise<Agent> {
    return only(await this.inserted(this.postgres, workspaceId, ownerId, fields));
  }

  /** Makes the agent that a workspace begins with, once in its life, whatever becomes of the request that needs it. */
  async insertFirst(workspaceId: string, fields: AgentFields): Promise<void> {
    const insert = async (connection: Queryable): Promise<void> => {
      const first = await connection.query(
        sql`INSERT INTO agent_workspaces (workspace_id) VALUES (${workspaceId}::uuid) ON CONFLICT DO NOTHING RETURNING workspace_id`,
      );
      if (first.length > 0) await this.inserted(connection, workspaceId, null, fields);
    };
    await this.postgres.beforehand(() => this.postgres.transaction(insert));
  }

  async find(workspaceId: string, id: string): Promise<Agent | undefined> {
    const rows = await this.postgres.query<Agent>(
      sql`SELECT ${COLUMNS} FROM agents WHERE id = ${id}::uuid AND workspace_id = ${workspaceId}::uuid`,
    );
    return rows[0];
  }

  async findByName(workspaceId: string, name: string): Promise<Agent | undefined> {
    const rows = await this.postgres.query<Agent>(
      sql`SELECT ${COLUMNS} FROM agents WHERE name = ${name} AND workspace_id = ${workspaceId}::uuid`,
    );
    return rows[0];
  }

  async list(workspaceId: string, page: PageQuery): Promise<Page<Agent>> {
    const rows = await this.postgres.query<Agent>(
      sql`SELECT ${COLUMNS} FROM agents WHERE workspace_id = ${workspaceId}::uuid${pageConditions(page)}${pageOrder(page)}`,
    );
    return pageOf(rows, page);
  }

  /** Undefined when the agent has another version (or is gone) by now. */
  async update(agent: Agent, fields: AgentFields): Promise<Agent | undefined> {
    const rows = await this.postgres.query<Agent>(
      sql`UPDATE agents SET name = ${fields.name}, strategy = ${fields.strategy}, instructions = ${fields.instructions}, model = ${fields.model},
            tools = ${fields.tools}::text[], collections = ${fields.collections}::text[], output_schema = ${jsonOrNull(fields.outputSchema)}::jsonb,
            limits = ${JSON.stringify(fields.limits)}::jsonb, version = version + 1, updated_at = now()
          WHERE id = ${agent.id}::uuid AND version = ${agent.version}
          RETURNING ${COLUMNS}`,
    );
    return rows[0];
  }

  async delete(connection: Queryable, id: string): Promise<void> {
    await connection.query(sql`DELETE FROM agents WHERE id = ${id}::uuid`);
  }

  private inserted(connection: Queryable, workspaceId: string, ownerId: string | null, fields: AgentFields): Promise<Agent[]> {
    return connection.query<Agent>(
      sql`INSERT INTO agents (id, workspace_id, owner_id, name, strategy, instructions, model, tools, collections, output_schema, limits)
          VALUES (${v7()}::uuid, ${workspaceId}::uuid, ${ownerId}::uuid, ${fields.name}, ${fields.strategy}, ${fields.instructions}, ${fields.model},
            ${fields.tools}::text[], ${fields.collections}::text[], ${jsonOrNull(fields.outputSchema)}::jsonb, ${JSON.stringify(fields.limits)}::jsonb)
          RETURNING ${COLUMNS}`,
    );
  }
}

function only(rows: Agent[]): Agent {
  const [row] = rows;
  if (row === undefined) throw new Error('An inserted agent did not come back.');
  return row;
}

function jsonOrNull(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}
