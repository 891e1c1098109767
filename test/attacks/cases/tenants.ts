import { PostgresClient, raw, sql } from '@backing/postgres';
import { AgentBench, type Run } from '../../support/agents';
import { startApi, type Registered, type TestApi } from '../../support/api';
import { ChatBench, type Message } from '../../support/chat';
import { DocumentsOf } from '../../support/documents';
import { gate } from '../../support/jobs';
import { PlannedRuntime } from '../../support/planned.runtime';

export const SECRET_TEXT = 'canary-4f1c9e-nobody-else-may-read-this';
const PASSWORD = 'correct horse battery staple';

/** One of everything that the victim owns, private unless it says so. */
export interface Belongings {
  session: ChatBench;
  /** Its question and its answer. */
  messages: { question: Message; answer: Message };
  answerJob: string;
  /** Of another session; it lasts until the tenants close. */
  running: { session: string; job: string };
  sharedSession: ChatBench;
  sharedAnswer: Message;
  document: string;
  ingestJob: string;
  collection: { name: string; id: string; physicalName: string; point: string };
  agent: { id: string; name: string };
  run: Run;
  key: { id: string; secret: string };
}

/** Two workspaces: the victim's, where a colleague is an editor and a guest a viewer, and the stranger's, who attacks. */
export class Tenants {
  victim!: Registered;
  colleague!: Registered;
  guest!: Registered;
  stranger!: Registered;
  belongings!: Belongings;
  private readonly release = gate();

  private constructor(
    readonly api: TestApi,
    readonly model: PlannedRuntime,
  ) {}

  static async open(env: Record<string, string> = {}): Promise<Tenants> {
    const api = await startApi({
      database: 'embedded',
      env: { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '100000', ...env },
    });
    const tenants = new Tenants(api, new PlannedRuntime('planned', true).serve(api.app));
    try {
      await tenants.fill();
    } catch (error) {
      await tenants.close();
      throw error;
    }
    return tenants;
  }

  get database(): PostgresClient {
    return this.api.app.get(PostgresClient, { strict: false });
  }

  async close(): Promise<void> {
    this.release.open();
    await this.api.close();
  }

  /** Makes a person a member of the victim's workspace; answers the tokens of a login there. */
  async join(person: Registered, email: string, role: string): Promise<Registered> {
    const { workspaceId } = this.victim;
    await this.database.query(
      sql`INSERT INTO memberships (workspace_id, user_id, role, created_at) VALUES (${workspaceId}, ${person.userId}, ${role}, '2001-01-01')`,
    );
    const { json } = await this.api.post('/api/v1/auth/login', { email, password: PASSWORD });
    const { access_token: accessToken, refresh_token: refreshToken } = json as unknown as { access_token: string; refresh_token: string };
    expect((json.workspace as unknown as { id: string }).id).toBe(workspaceId);
    return { ...person, workspaceId, accessToken, refreshToken };
  }

  /**
   * All rows of the victim's workspace, by table: the same text as long as nothing of it changed. The lease of a running job
   * is renewed by itself, and the audit log tells also what members do with their own.
   */
  async state(): Promise<Record<string, string>> {
    const tables = await this.database.query<{ name: string }>(
      sql`SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'workspace_id'
          AND table_name <> 'audit_entries' ORDER BY 1`,
    );
    const state: Record<string, string> = {};
    for (const { name } of tables) {
      const [row] = await this.database.query<{ hash: string | null }>(
        sql`SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) AS hash FROM (SELECT to_jsonb(t) - 'lease_until' AS r FROM ${raw(name)} t WHERE workspace_id = ${this.victim.workspaceId}::uuid) AS rows`,
      );
      state[name] = row?.hash ?? '';
    }
    return state;
  }

  private async fill(): Promise<void> {
    const { api } = this;
    await api.register('keeper@example.org');
    this.victim = await api.register('victim@example.org');
    this.stranger = await api.register('stranger@example.org');
    this.colleague = await this.join(await api.register('colleague@example.org'), 'colleague@example.org', 'editor');
    this.guest = await this.join(await api.register('guest@example.org'), 'guest@example.org', 'viewer');
    const { accessToken: token } = this.victim;
    this.model.plan = () => [{ say: SECRET_TEXT }];
    const session = await ChatBench.begin(api, token, { model: 'planned', title: SECRET_TEXT, system: SECRET_TEXT });
    const messages = await session.ask(SECRET_TEXT);
    this.model.plan = () => [{ say: 'An answer for all of us.' }];
    const sharedSession = await ChatBench.begin(api, token, { model: 'planned', visibility: 'workspace' });
    const sharedAnswer = (await sharedSession.ask('For all of us.')).answer;
    this.model.plan = () => [{ say: SECRET_TEXT }];
    const documents = new DocumentsOf(api, this.victim);
    const document = await documents.ready(await documents.add({ name: 'secret.txt', text: `${SECRET_TEXT} about the lighthouse.` }));
    const bench = new AgentBench(api, token);
    const agent = await bench.make({ name: 'victims-agent', model: 'planned', instructions: SECRET_TEXT });
    const { run } = await bench.run(agent.id, { input: SECRET_TEXT });
    const key = (await api.post('/api/v1/auth/keys', { name: SECRET_TEXT, scopes: ['chat', 'documents:read'] }, token)).json;
    this.belongings = {
      session,
      messages,
      answerJob: messages.answer.job_id ?? '',
      running: await this.runOn(),
      sharedSession,
      sharedAnswer,
      document: document.id,
      ingestJob: String(document.job_id),
      collection: await this.fillCollection(),
      agent,
      run,
      key: { id: String(key.id), secret: String(key.secret) },
    };
  }

  private async runOn(): Promise<Belongings['running']> {
    const { release, model } = this;
    model.plan = async function* () {
      yield { say: SECRET_TEXT };
      await release.opened;
    };
    const session = await ChatBench.begin(this.api, this.victim.accessToken, { model: 'planned' });
    const { json } = await this.api.post(`${session.path}/messages`, { content: SECRET_TEXT }, session.token);
    const { job } = json as unknown as { job: { id: string } };
    const events = await this.api.fetch(`/api/v1/jobs/${job.id}/events`, { token: session.token });
    for await (const bytes of events.body ?? []) if (Buffer.from(bytes as Uint8Array).includes('event: delta')) break;
    model.plan = () => [{ say: 'Done.' }];
    return { session: session.id, job: job.id };
  }

  private async fillCollection(): Promise<Belongings['collection']> {
    const { accessToken: token } = this.victim;
    const name = 'victims-vectors';
    await this.api.post('/api/v1/vectors/collections', { name, dimensions: 3, description: SECRET_TEXT }, token);
    const points = [{ id: 'victims-point', vector: [1, 0, 0], metadata: { secret: SECRET_TEXT } }];
    const put = await this.api.request(`/api/v1/vectors/collections/${name}/points`, { method: 'PUT', token, body: { points } });
    expect([put.status, put.text]).toEqual([200, expect.any(String)]);
    const [row] = await this.database.query<{ id: string; physical_name: string }>(
      sql`SELECT c.id, s.physical_name FROM collections c JOIN spaces s ON s.id = c.space_id WHERE c.name = ${name}`,
    );
    return { name, id: row?.id ?? '', physicalName: row?.physical_name ?? '', point: 'victims-point' };
  }
}
