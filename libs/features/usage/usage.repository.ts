import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import { PostgresClient, sql } from '@backing/postgres';

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
}
