import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import { PostgresClient, empty, sql, type Sql } from '@backing/postgres';

/** On whose account a model works. */
export interface UsageAccount {
  workspaceId: string;
  userId: string;
  apiKeyId: string | null;
  jobId: string | null;
}

export interface UsageEntry {
  operation: 'chat' | 'embed';
  model: string;
  inputTokens: number;
  outputTokens: number;
  seconds: number;
}

export type UsageGroup = 'day' | 'model' | 'user' | 'key' | 'operation';

export interface UsageFilter {
  workspaceId: string;
  /** Of this person alone. */
  userId?: string;
  /** Of this key alone. */
  apiKeyId?: string;
  /** Inclusive. */
  from: Date;
  /** Exclusive. */
  to: Date;
}

export interface UsageTotals {
  calls: number;
  inputTokens: number;
  outputTokens: number;
  seconds: number;
}

export interface GroupTotals extends UsageTotals {
  /** The day (UTC, `YYYY-MM-DD`), model, operation or id; null for calls without an API key. */
  group: string | null;
  /** What people call a user or a key. */
  name: string | null;
}

const TOTALS = sql`count(*)::float8 AS "calls", coalesce(sum(u.input_tokens), 0)::float8 AS "inputTokens",
  coalesce(sum(u.output_tokens), 0)::float8 AS "outputTokens", coalesce(sum(u.seconds), 0)::float8 AS "seconds"`;
const BY_SIZE = sql`sum(u.input_tokens + u.output_tokens) DESC, "group"`;
const PLAIN = { name: sql`NULL`, join: empty, order: BY_SIZE };
const GROUPS: Record<UsageGroup, { group: Sql; name: Sql; join: Sql; order: Sql }> = {
  day: { ...PLAIN, group: sql`to_char(u.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')`, order: sql`"group"` },
  model: { ...PLAIN, group: sql`u.model` },
  operation: { ...PLAIN, group: sql`u.operation` },
  user: { ...PLAIN, group: sql`u.user_id::text`, name: sql`max(p.email)`, join: sql`LEFT JOIN users p ON p.id = u.user_id` },
  key: { ...PLAIN, group: sql`u.api_key_id::text`, name: sql`max(k.name)`, join: sql`LEFT JOIN api_keys k ON k.id = u.api_key_id` },
};

/** One row for each model call: who, which model, tokens in and out, seconds. */
@Injectable()
export class UsageRepository {
  constructor(private readonly client: PostgresClient) {}

  async add(account: UsageAccount, entry: UsageEntry): Promise<void> {
    await this.client.query(sql`
      INSERT INTO usage (id, workspace_id, user_id, api_key_id, job_id, operation, model, input_tokens, output_tokens, seconds)
      VALUES (${v7()}, ${account.workspaceId}, ${account.userId}, ${account.apiKeyId}, ${account.jobId}, ${entry.operation}, ${entry.model},
              ${entry.inputTokens}, ${entry.outputTokens}, ${entry.seconds})`);
  }

  async total(filter: UsageFilter): Promise<UsageTotals> {
    const [total] = await this.client.query<UsageTotals>(sql`SELECT ${TOTALS} FROM usage u WHERE ${matching(filter)}`);
    return total ?? { calls: 0, inputTokens: 0, outputTokens: 0, seconds: 0 };
  }

  /** Days in their order, anything else by tokens, most first; at most `limit` groups. */
  async totals(by: UsageGroup, filter: UsageFilter, limit: number): Promise<GroupTotals[]> {
    const { group, name, join, order } = GROUPS[by];
    return this.client.query<GroupTotals>(
      sql`SELECT ${group} AS "group", ${name} AS "name", ${TOTALS} FROM usage u ${join} WHERE ${matching(filter)}
          GROUP BY 1 ORDER BY ${order} LIMIT ${limit}`,
    );
  }
}

function matching({ workspaceId, userId, apiKeyId, from, to }: UsageFilter): Sql {
  const person = userId === undefined ? empty : sql` AND u.user_id = ${userId}::uuid`;
  const key = apiKeyId === undefined ? empty : sql` AND u.api_key_id = ${apiKeyId}::uuid`;
  return sql`u.workspace_id = ${workspaceId}::uuid AND u.created_at >= ${from}::timestamptz AND u.created_at < ${to}::timestamptz${person}${key}`;
}
