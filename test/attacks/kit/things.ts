import { createHash, randomBytes } from 'node:crypto';
import { type PostgresClient, sql } from '@backing/postgres';
import { Blobs } from '@kernel/blobs';
import { v7 } from 'uuid';
import type { TestApi } from '../../support/api';

/** Who a thing is made for: a member of a workspace, with a token there of somebody who may make shared things. */
export interface ThingOwner {
  userId: string;
  workspaceId: string;
  token: string;
}

/** Ids (of a collection: its name) of one of everything in a workspace. */
export interface VictimIds {
  workspace: string;
  user: string;
  member: string;
  collection: string;
  point: string;
  document: string;
  session: string;
  message: string;
  job: string;
  agent: string;
  run: string;
  key: string;
  invitation: string;
}

/** Makes one of anything in a workspace, without a model; every text of it bears the mark. */
export class Things {
  constructor(
    private readonly api: TestApi,
    private readonly database: PostgresClient,
    private readonly mark: (label: string) => string,
  ) {}

  async everything(owner: ThingOwner, member: string): Promise<VictimIds> {
    const collection = await this.collection(owner);
    const session = await this.session(owner);
    const agent = await this.agent(owner);
    return {
      workspace: owner.workspaceId,
      user: owner.userId,
      member,
      collection,
      point: await this.point(owner, collection),
      document: await this.document(owner),
      session,
      message: await this.message(owner, session),
      job: await this.job(owner),
      agent,
      run: await this.run(owner, agent),
      key: await this.key(owner),
      invitation: await this.invitation(owner),
    };
  }

  /** Answers its name. */
  async collection(owner: ThingOwner): Promise<string> {
    const name = `c-${randomBytes(8).toString('hex')}`;
    await this.made('/api/v1/vectors/collections', { name, dimensions: 3, description: this.mark('collection') }, owner);
    return name;
  }

  async point(owner: ThingOwner, collection: string): Promise<string> {
    const id = `p-${randomBytes(8).toString('hex')}`;
    const points = [{ id, vector: [1, 2, 3], metadata: { note: this.mark('point') } }];
    const path = `/api/v1/vectors/collections/${collection}/points`;
    const { status, text } = await this.api.request(path, { method: 'PUT', body: { points }, token: owner.token });
    if (status !== 200) throw new Error(`Making a point answered ${status}: ${text}`);
    return id;
  }

  async session(owner: ThingOwner): Promise<string> {
    return this.row(
      (id) => sql`INSERT INTO chat_sessions (id, workspace_id, owner_id, title, system)
        VALUES (${id}::uuid, ${owner.workspaceId}::uuid, ${owner.userId}::uuid, ${this.mark('title')}, ${this.mark('system')})`,
    );
  }

  /** A question and its answer, whose id this is. */
  async message(owner: ThingOwner, session: string): Promise<string> {
    const question = await this.row(
      (id) => sql`INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, role, content, status)
        VALUES (${id}::uuid, ${session}::uuid, ${owner.workspaceId}::uuid, ${owner.userId}::uuid, 'user', ${this.mark('question')}, 'complete')`,
    );
    return this.row(
      (id) => sql`INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, parent_id, role, content, status, finish_reason)
        VALUES (${id}::uuid, ${session}::uuid, ${owner.workspaceId}::uuid, ${owner.userId}::uuid, ${question}::uuid, 'assistant',
                ${this.mark('answer')}, 'complete', 'stop')`,
    );
  }

  /** Ended, with its events. */
  async job(owner: ThingOwner): Promise<string> {
    const result = JSON.stringify({ note: this.mark('result') });
    const id = await this.row(
      (
        job,
      ) => sql`INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, status, attempt, max_attempts, last_seq, result,
          started_at, finished_at)
        VALUES (${job}::uuid, ${owner.workspaceId}::uuid, ${owner.userId}::uuid, 'chat.answer', 1, '{}', 'succeeded', 1, 1, 2, ${result}::jsonb,
          now(), now())`,
    );
    await this.database.query(
      sql`INSERT INTO job_events (job_id, seq, event, data) VALUES (${id}::uuid, 1, 'accepted', ${result}::jsonb), (${id}::uuid, 2, 'done', ${result}::jsonb)`,
    );
    return id;
  }

  async agent(owner: ThingOwner): Promise<string> {
    const limits = JSON.stringify({ steps: 2, tool_calls: 2, tokens: 1000, seconds: 60 });
    return this.row(
      (id) => sql`INSERT INTO agents (id, workspace_id, owner_id, name, instructions, limits)
        VALUES (${id}::uuid, ${owner.workspaceId}::uuid, ${owner.userId}::uuid, ${this.mark(`agent ${id}`)}, ${this.mark('instructions')},
                ${limits}::jsonb)`,
    );
  }

  /** Ended, with one step. */
  async run(owner: ThingOwner, agent: string): Promise<string> {
    const job = await this.job(owner);
    const snapshot = JSON.stringify({
      id: agent,
      version: 1,
      name: this.mark('agent'),
      model: 'none',
      tools: [],
      collections: [],
      limits: {},
    });
    const id = await this.row(
      (
        run,
      ) => sql`INSERT INTO agent_runs (id, workspace_id, owner_id, agent_id, job_id, agent, input, status, output, started_at, finished_at)
        VALUES (${run}::uuid, ${owner.workspaceId}::uuid, ${owner.userId}::uuid, ${agent}::uuid, ${job}::uuid, ${snapshot}::jsonb, ${this.mark('input')},
                'succeeded', ${this.mark('output')}, now(), now())`,
    );
    await this.database.query(
      sql`INSERT INTO agent_steps (run_id, step, kind, text, calls, started_at)
          VALUES (${id}::uuid, 1, 'model', ${this.mark('step')}, '[]', now())`,
    );
    return id;
  }

  /** Ready, with its original, its text and one passage. */
  async document(owner: ThingOwner): Promise<string> {
    const text = this.mark('document');
    const sha256 = createHash('sha256').update(v7()).digest('hex');
    const id = await this.row(
      (
        document,
      ) => sql`INSERT INTO documents (id, workspace_id, owner_id, collection_id, name, media_type, bytes, sha256, status, chunks, visible_version, metadata)
        SELECT ${document}::uuid, workspace_id, ${owner.userId}::uuid, id, ${this.mark('name')}, 'text/plain', ${text.length}, ${sha256}, 'ready', 1, 1,
               ${JSON.stringify({ note: this.mark('metadata') })}::jsonb
        FROM collections WHERE workspace_id = ${owner.workspaceId}::uuid AND name = 'default'`,
    );
    const blobs = this.api.app.get(Blobs, { strict: false });
    for (const kind of ['documents', 'texts']) await blobs.put(`${kind}/${id}/1`, Buffer.from(text));
    await this.passage(id, text);
    return id;
  }

  async key(owner: ThingOwner): Promise<string> {
    return this.row(
      (id) => sql`INSERT INTO api_keys (id, workspace_id, owner_id, name, secret_hash, secret_hint, scopes)
        VALUES (${id}::uuid, ${owner.workspaceId}::uuid, ${owner.userId}::uuid, ${this.mark('key')}, ${randomBytes(32)}, 'none', '{}')`,
    );
  }

  async invitation(owner: ThingOwner): Promise<string> {
    return this.row(
      (id) => sql`INSERT INTO invitations (id, workspace_id, email, role, token_hash, invited_by, expires_at)
        VALUES (${id}::uuid, ${owner.workspaceId}::uuid, ${`${this.mark('').trim()}-${id}@example.org`}, 'viewer', ${randomBytes(32)}, ${owner.userId}::uuid,
                now() + interval '1 day')`,
    );
  }

  private async passage(document: string, text: string): Promise<void> {
    await this.database.query(
      sql`INSERT INTO spaces (id, store, model, dimensions, metric, version, physical_name)
          VALUES (${v7()}::uuid, 'pgvector', 'of-the-kit', 3, 'cosine', 1, 'of_the_kit') ON CONFLICT DO NOTHING`,
    );
    await this.database.query(
      sql`INSERT INTO points (collection_id, id, physical_id, space_id, workspace_id, owner_id, document_id, document_version, kind, ordinal,
            start_offset, end_offset, text, tokens, vector, vector_sha256)
          SELECT d.collection_id, ${v7()}, gen_random_uuid(), s.id, d.workspace_id, d.owner_id, d.id, 1, 'chunk', 0, 0, ${text.length},
            ${text}, 3, ${Buffer.alloc(12)}, ${Buffer.alloc(32)}
          FROM documents d, spaces s WHERE d.id = ${document}::uuid AND s.physical_name = 'of_the_kit'`,
    );
  }

  private async row(statement: (id: string) => Parameters<PostgresClient['query']>[0]): Promise<string> {
    const id = v7();
    await this.database.query(statement(id));
    return id;
  }

  private async made(path: string, body: object, owner: ThingOwner): Promise<void> {
    const { status, text } = await this.api.post(path, body, owner.token);
    if (status !== 201) throw new Error(`${path} answered ${status}: ${text}`);
  }
}
