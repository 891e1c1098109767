import { PrometheusMetrics } from '@backing/prometheus';
import { openSource, PostgresClient, sql } from '@backing/postgres';
import { Budgets, BudgetsRepository, ModelAccounts, ModelMeter, UsageRepository, type UsageAccount } from '@features/usage';
import { AppError } from '@kernel/errors';
import type { ChatChunk, EmbedRequest } from '@kernel/models';
import { v7 } from 'uuid';
import { describeDatabases, openDatabase, type TestDatabase } from '../support/databases';
import { chatCard } from '../support/scripted.runtime';

const never = new AbortController().signal;

/** A process whose reservations last 300 ms; a dead one does not renew them. */
class ShortBudgets extends Budgets {
  protected override readonly leaseMs = 300;
}

class DeadBudgets extends ShortBudgets {
  override async reserve(apiKeyId: string | null, most: () => Promise<number>) {
    const reservation = await super.reserve(apiKeyId, most);
    // kill -9: its timers end with it.
    this.onApplicationShutdown();
    return reservation;
  }
}

describeDatabases('Token budgets', (kind) => {
  let database: TestDatabase;
  /** Connections of other processes; the embedded database has one process. */
  const others: PostgresClient[] = [];

  beforeAll(async () => {
    database = await openDatabase(kind);
    const url = database.url;
    for (let n = 0; url !== undefined && n < 2; n += 1) {
      const { source } = await openSource({
        directory: database.directory,
        database: { url, poolSize: 2, poolOverflow: 8, migrate: 'auto' },
      });
      others.push(new PostgresClient(source));
    }
  });
  afterAll(async () => {
    for (const client of others) await client.onApplicationShutdown();
    await database.close();
  });

  const clients = (): PostgresClient[] => [database.client, ...others];
  const budgetsOver = (client: PostgresClient, Kind = Budgets): Budgets => new Kind(new BudgetsRepository(client), new PrometheusMetrics());

  async function makeKey(tokensPerDay: number | null): Promise<UsageAccount & { apiKeyId: string }> {
    const [userId, workspaceId, apiKeyId] = [v7(), v7(), v7()];
    await database.client.query(sql`INSERT INTO users (id, email, password_hash) VALUES (${userId}, ${`${userId}@example.org`}, 'x')`);
    await database.client.query(sql`INSERT INTO workspaces (id, name, owner_id) VALUES (${workspaceId}, 'w', ${userId})`);
    await database.client.query(
      sql`INSERT INTO api_keys (id, workspace_id, owner_id, name, secret_hash, secret_hint, scopes, tokens_per_day)
          VALUES (${apiKeyId}, ${workspaceId}, ${userId}, 'k', ${Buffer.from(apiKeyId)}, 'x', '{chat}', ${tokensPerDay}::bigint)`,
    );
    return { userId, workspaceId, apiKeyId, jobId: null };
  }

  const stateOf = async (key: { apiKeyId: string }) => (await budgetsOver(database.client).states([key.apiKeyId])).get(key.apiKeyId);

  it('lets of 50 calls at once exactly those through that the budget pays, over all processes', async () => {
    const key = await makeKey(1_000);
    const processes = clients().map((client) => budgetsOver(client));
    const tries = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => processes[n % processes.length]?.reserve(key.apiKeyId, async () => 70) ?? Promise.reject()),
    );
    const refused = tries.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason as AppError] : []));
    expect(refused).toHaveLength(50 - 14);
    expect(new Set(refused.map(({ code, retryable }) => `${code} ${retryable}`))).toEqual(new Set(['budget_exhausted false']));
    expect(await stateOf(key)).toEqual({ limit: 1_000, used: 0, reserved: 980 });
    for (const attempt of tries) if (attempt.status === 'fulfilled') await processes[0]?.settle(attempt.value, 10);
    expect(await stateOf(key)).toEqual({ limit: 1_000, used: 140, reserved: 0 });
    for (const budgets of processes) budgets.onApplicationShutdown();
  });

  it('never over-spends while calls of different size come, end, fail and come again', async () => {
    const key = await makeKey(5_000);
    const processes = clients().map((client) => budgetsOver(client));
    let paid = 0;
    let most = 0;
    const caller = async (n: number): Promise<void> => {
      const budgets = processes[n % processes.length] ?? processes[0];
      for (let round = 0; round < 6; round += 1) {
        const wanted = 20 + ((n * 37 + round * 101) % 180);
        const reservation = await budgets?.reserve(key.apiKeyId, async () => wanted).catch(() => undefined);
        if (reservation === undefined) continue;
        const state = await stateOf(key);
        most = Math.max(most, (state?.used ?? 0) + (state?.reserved ?? 0));
        const used = round % 3 === 0 ? 0 : Math.floor(wanted / 2);
        paid += used;
        await budgets?.settle(reservation, used);
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, n) => caller(n)));
    expect(most).toBeLessThanOrEqual(5_000);
    expect(await stateOf(key)).toEqual({ limit: 5_000, used: paid, reserved: 0 });
    expect(paid).toBeGreaterThan(2_000);
  });

  it('asks nothing of a key without a budget, nor of a person', async () => {
    const budgets = budgetsOver(database.client);
    const key = await makeKey(null);
    const most = async (): Promise<number> => Promise.reject(new Error('nobody may count'));
    expect(await budgets.reserve(key.apiKeyId, most)).toBeUndefined();
    expect(await budgets.reserve(null, most)).toBeUndefined();
    await budgets.demand(key.apiKeyId);
    await budgets.demand(null);
  });

  it('gives back what a dead process held once its lease is over, and keeps what a living one renews', async () => {
    const [dead, living] = [budgetsOver(database.client, DeadBudgets), budgetsOver(database.client, ShortBudgets)];
    const key = await makeKey(100);
    await dead.reserve(key.apiKeyId, async () => 60);
    const held = await living.reserve(key.apiKeyId, async () => 40);
    await expect(living.reserve(key.apiKeyId, async () => 60)).rejects.toMatchObject({ code: 'budget_exhausted' });
    await expect(living.demand(key.apiKeyId)).rejects.toMatchObject({ code: 'budget_exhausted' });
    let again: Awaited<ReturnType<Budgets['reserve']>>;
    while (again === undefined) again = await living.reserve(key.apiKeyId, async () => 60).catch(() => undefined);
    expect(await stateOf(key)).toEqual({ limit: 100, used: 0, reserved: 100 });
    await living.settle(held, 5);
    await living.settle(again, 7);
    expect(await stateOf(key)).toEqual({ limit: 100, used: 12, reserved: 0 });
  });

  it('pays what a call used whose reservation has expired, and nothing twice', async () => {
    const budgets = budgetsOver(database.client);
    const key = await makeKey(100);
    const reservation = await budgets.reserve(key.apiKeyId, async () => 50);
    await database.client.query(
      sql`UPDATE token_reservations SET lease_until = now() - interval '1 second' WHERE api_key_id = ${key.apiKeyId}::uuid`,
    );
    expect(await stateOf(key)).toEqual({ limit: 100, used: 0, reserved: 0 });
    await budgets.settle(reservation, 30);
    expect(await stateOf(key)).toEqual({ limit: 100, used: 30, reserved: 0 });
  });

  it('begins anew at midnight UTC; a call over midnight is paid by the day on which it began', async () => {
    const budgets = budgetsOver(database.client);
    const key = await makeKey(100);
    const reservation = await budgets.reserve(key.apiKeyId, async () => 100);
    await expect(budgets.reserve(key.apiKeyId, async () => 1)).rejects.toMatchObject({ code: 'budget_exhausted' });
    for (const table of ['budgets', 'reservations'])
      await database.client.query(
        table === 'budgets'
          ? sql`UPDATE token_budgets SET day = day - 1 WHERE api_key_id = ${key.apiKeyId}::uuid`
          : sql`UPDATE token_reservations SET day = day - 1 WHERE api_key_id = ${key.apiKeyId}::uuid`,
      );
    const yesterday = new Date(Date.parse(`${reservation?.day}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10);
    const today = await budgets.reserve(key.apiKeyId, async () => 100);
    if (reservation === undefined) throw new Error('Nothing was reserved.');
    await budgets.settle({ ...reservation, day: yesterday }, 80);
    await budgets.settle(today, 90);
    const rows = await database.client.query<{ used: number; reserved: number }>(
      sql`SELECT used::int, reserved::int FROM token_budgets WHERE api_key_id = ${key.apiKeyId}::uuid ORDER BY day`,
    );
    expect(rows).toEqual([
      { used: 80, reserved: 0 },
      { used: 90, reserved: 0 },
    ]);
  });

  describe('around model calls', () => {
    let accounts: ModelAccounts;

    beforeAll(() => {
      const meter = new ModelMeter(new PrometheusMetrics());
      accounts = new ModelAccounts(new UsageRepository(database.client), budgetsOver(database.client), meter);
    });

    async function* answer(pieces: number, onTokens?: (inputTokens: number, outputTokens: number) => void): AsyncGenerator<ChatChunk> {
      for (let n = 1; n <= pieces; n += 1) {
        onTokens?.(10, n);
        yield { type: 'text', text: 'a' };
      }
      yield { type: 'end', finishReason: 'stop', inputTokens: 10, outputTokens: pieces, seconds: 0.1 };
    }

    const generation = (account: UsageAccount, open: (onTokens?: (i: number, o: number) => void) => AsyncIterable<ChatChunk>) =>
      accounts.generation(
        { card: chatCard(), request: { maxTokens: 90 }, promptTokens: async () => 10, open: ({ onTokens }) => open(onTokens) },
        account,
      );

    it('settles an answer by its true use', async () => {
      const key = await makeKey(100);
      const seen: (number | undefined)[] = [];
      for await (const chunk of generation(key, (onTokens) => answer(4, onTokens)))
        if (chunk.type === 'text') seen.push((await stateOf(key))?.reserved);
      expect(seen).toEqual([100, 100, 100, 100]);
      expect(await stateOf(key)).toEqual({ limit: 100, used: 14, reserved: 0 });
      await expect(generation(key, () => answer(1)).next()).rejects.toMatchObject({ code: 'budget_exhausted' });
    });

    it('settles an aborted answer by what it had used', async () => {
      const key = await makeKey(100);
      for await (const chunk of generation(key, (onTokens) => answer(50, onTokens))) if (chunk.type === 'text') break;
      expect(await stateOf(key)).toEqual({ limit: 100, used: 11, reserved: 0 });
    });

    it('gives back everything when the model fails before it read anything', async () => {
      const key = await makeKey(100);
      const failing: AsyncIterable<ChatChunk> = {
        [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new AppError('unavailable', 'No model.')) }),
      };
      await expect(generation(key, () => failing).next()).rejects.toMatchObject({ code: 'unavailable' });
      expect(await stateOf(key)).toEqual({ limit: 100, used: 0, reserved: 0 });
    });

    it('counts what is embedded', async () => {
      const key = await makeKey(20);
      const runtime = {
        countTokens: async (_: string, texts: string[]) => texts.map((text) => text.length),
        embed: async ({ texts }: EmbedRequest) => ({ vectors: [], inputTokens: texts.join('').length, seconds: 0.1 }),
      };
      const request: EmbedRequest = { model: 'scripted', texts: ['abcdef'], input: 'document', signal: never };
      const embed = () => accounts.embedding({ card: chatCard(), runtime, request }, key);
      await embed();
      await embed();
      expect(await stateOf(key)).toEqual({ limit: 20, used: 12, reserved: 0 });
      await expect(embed()).rejects.toMatchObject({ code: 'budget_exhausted' });
    });
  });
});
