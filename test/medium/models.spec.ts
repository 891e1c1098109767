import { openAdmission } from '../support/admission';
import { sql } from '@backing/postgres';
import { PrometheusMetrics } from '@backing/prometheus';
import { Models, type UsageAccount } from '@features/models';
import { Budgets, BudgetsRepository, ModelAccounts, ModelMeter, UsageRepository } from '@features/usage';
import { AppError } from '@kernel/errors';
import { ModelRuntime, type ChatChunk, type ChatRequest, type EmbedAnswer, type EmbedRequest, type ModelCard } from '@kernel/models';
import { v7 } from 'uuid';
import { describeDatabases, openDatabase, type TestDatabase } from '../support/databases';
import { CHAT, EMBEDDING, describeModels, modelSettings, openRuntime } from '../support/models';

const never = new AbortController().signal;
const account: UsageAccount = { workspaceId: v7(), userId: v7(), apiKeyId: v7(), jobId: v7() };
const turns = [{ role: 'user' as const, content: 'Write about the sea in a few sentences.' }];

interface UsageRow {
  workspace_id: string;
  user_id: string;
  api_key_id: string | null;
  job_id: string | null;
  operation: string;
  model: string;
  input_tokens: number;
  output_tokens: number;
  seconds: number;
}

function card(changes: Partial<ModelCard>): ModelCard {
  return {
    id: CHAT,
    kind: 'chat',
    runtime: 'scripted',
    state: 'ready',
    loaded: false,
    sizeBytes: 1,
    digest: null,
    license: 'Apache-2.0',
    languages: ['en'],
    contextLength: 2_048,
    capabilities: ['chat'],
    ...changes,
  };
}

/** A runtime that does what the test says and fails when it is asked for more. */
class ScriptedRuntime extends ModelRuntime {
  readonly name = 'scripted';

  constructor(
    private readonly cards: ModelCard[],
    private readonly script: (request: ChatRequest) => AsyncIterable<ChatChunk> = () => {
      throw new Error('not in the script');
    },
  ) {
    super();
  }

  async models(): Promise<ModelCard[]> {
    return this.cards;
  }
  parallel(): number {
    return 16;
  }

  activity() {
    return { running: 1, queued: 2, tokensPerSecond: 3 };
  }
  async load(): Promise<void> {
    throw new Error('not in the script');
  }
  chat(request: ChatRequest): AsyncIterable<ChatChunk> {
    return this.script(request);
  }
  complete(): AsyncIterable<ChatChunk> {
    throw new Error('not in the script');
  }
  async embed(_request: EmbedRequest): Promise<EmbedAnswer> {
    throw new AppError('unavailable', 'The model cannot be loaded.');
  }
  async countTokens(): Promise<number[]> {
    throw new Error('not in the script');
  }
  async countPromptTokens(): Promise<number> {
    throw new Error('not in the script');
  }
}

describeDatabases('models and their usage', (kind) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase(kind);
  });
  beforeEach(() => database.client.query(sql`DELETE FROM usage`));
  afterAll(() => database.close());

  const over = (...all: ModelRuntime[]) => {
    const metrics = new PrometheusMetrics();
    const budgets = new Budgets(new BudgetsRepository(database.client), metrics);
    const accounts = new ModelAccounts(new UsageRepository(database.client), budgets, new ModelMeter(metrics));
    return new Models({ all }, accounts, openAdmission(), modelSettings());
  };
  const rows = () => database.client.query<UsageRow>(sql`SELECT * FROM usage ORDER BY id`);
  const request = (changes: Partial<ChatRequest> = {}): ChatRequest => ({
    model: CHAT,
    turns,
    maxTokens: 20,
    temperature: 0,
    signal: never,
    ...changes,
  });
  const texts = async (chunks: AsyncIterable<ChatChunk>) => {
    const seen: ChatChunk[] = [];
    for await (const chunk of chunks) seen.push(chunk);
    return seen;
  };

  it('takes a model from the runtime that has it ready and lists it once, by name', async () => {
    const first = new ScriptedRuntime([card({ state: 'missing' }), card({ id: 'zeta', state: 'ready' })]);
    const second = new ScriptedRuntime([card({ runtime: 'other' }), card({ id: 'alpha', kind: 'embedding' })]);
    const models = over(first, second);
    expect((await models.list()).map(({ id, runtime }) => [id, runtime])).toEqual([
      ['alpha', 'scripted'],
      [CHAT, 'other'],
      ['zeta', 'scripted'],
    ]);
    expect(await models.status(CHAT)).toMatchObject({ id: CHAT, running: 1, queued: 2, tokensPerSecond: 3 });
    await expect(models.get('nowhere')).rejects.toMatchObject({ code: 'not_found' });
    expect((await models.page({ limit: 1, order: 'asc', after: 'b' })).data.map(({ id }) => id)).toEqual([CHAT]);
    expect(await models.page({ limit: 1, order: 'desc', before: 'alpha' })).toMatchObject({ data: [{ id: CHAT }], hasMore: true });
  });

  it('resolves the default of the settings, and names what is wrong with another', async () => {
    const models = over(new ScriptedRuntime([card({}), card({ id: EMBEDDING, kind: 'embedding', state: 'missing' })]));
    expect(await models.resolve('chat')).toMatchObject({ id: CHAT });
    await expect(models.resolve('chat', 'nowhere')).rejects.toMatchObject({ code: 'invalid', errors: [{ path: 'model' }] });
    await expect(models.resolve('chat', EMBEDDING)).rejects.toMatchObject({ code: 'invalid', errors: [{ path: 'model' }] });
    await expect(models.resolve('embedding')).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('`npm run models -- fetch`'),
    });
  });

  it('writes no row for a call that never reached the model', async () => {
    const models = over(new ScriptedRuntime([card({}), card({ id: EMBEDDING, kind: 'embedding' })]));
    const failing = models.embed({ model: EMBEDDING, texts: ['a'], input: 'query', signal: never }, account);
    await expect(failing).rejects.toMatchObject({ code: 'unavailable' });
    expect(await rows()).toEqual([]);
  });

  it('gives the answer although its row cannot be written', async () => {
    const end: ChatChunk = { type: 'end', finishReason: 'stop', inputTokens: 3, outputTokens: 1, seconds: 1 };
    const models = over(
      new ScriptedRuntime([card({})], async function* () {
        yield { type: 'text', text: 'Yes.' };
        yield end;
      }),
    );
    const broken = { ...account, workspaceId: 'no uuid' };
    expect(await texts(models.chat(request(), broken))).toEqual([{ type: 'text', text: 'Yes.' }, end]);
    expect(await rows()).toEqual([]);
  });

  describeModels('with the built-in runtime', () => {
    const runtime = openRuntime();
    afterAll(() => runtime.onApplicationShutdown());

    it('writes one row for an answer, with its exact counts', async () => {
      const end = (await texts(over(runtime).chat(request(), account))).at(-1);
      expect(await rows()).toMatchObject([
        {
          workspace_id: account.workspaceId,
          user_id: account.userId,
          api_key_id: account.apiKeyId,
          job_id: account.jobId,
          operation: 'chat',
          model: CHAT,
          input_tokens: await runtime.countPromptTokens(CHAT, turns, never),
          output_tokens: 20,
          seconds: end?.type === 'end' ? end.seconds : NaN,
        },
      ]);
    });

    it('writes what an aborted answer has used, and one that nobody reads to the end', async () => {
      const abort = new AbortController();
      const onTokens = (_input: number, output: number): void => {
        if (output === 5) abort.abort();
      };
      await expect(texts(over(runtime).chat(request({ signal: abort.signal, onTokens }), account))).rejects.toMatchObject({
        code: 'cancelled',
      });
      for await (const chunk of over(runtime).chat(request(), account)) if (chunk.type === 'text') break;
      const [aborted, left] = await rows();
      expect(aborted).toMatchObject({ output_tokens: 5, input_tokens: await runtime.countPromptTokens(CHAT, turns, never) });
      expect(left?.output_tokens).toBeGreaterThan(0);
      expect(left?.output_tokens).toBeLessThan(20);
    });

    it('writes one row for an embedding', async () => {
      const answer = await over(runtime).embed(
        { model: EMBEDDING, texts: ['hello world'], input: 'query', signal: never },
        { ...account, apiKeyId: null },
      );
      expect(await rows()).toMatchObject([
        { operation: 'embed', model: EMBEDDING, input_tokens: 4, output_tokens: 0, seconds: answer.seconds, api_key_id: null },
      ]);
    });
  });
});
