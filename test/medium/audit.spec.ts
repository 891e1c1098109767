import { PostgresClient, sql } from '@backing/postgres';
import { Audit, AuditRepository, AuditRetention, type AuditDetails } from '@features/audit';
import type { AppConfig } from '@kernel/config';
import { v7 } from 'uuid';
import { countRows, describeDatabases, openDatabase, type TestDatabase } from '../support/databases';

describeDatabases('the audit log', (kind) => {
  let database: TestDatabase;
  let client: PostgresClient;
  let audit: Audit;
  let repository: AuditRepository;
  const workspaceId = v7();
  const actor = { userId: v7() };

  beforeAll(async () => {
    database = await openDatabase(kind);
    client = database.client;
    repository = new AuditRepository(client);
    audit = new Audit(repository);
  });
  afterAll(() => database?.close());

  const entries = async () => (await repository.page(undefined, {}, { limit: 100, order: 'asc' })).data;
  const add = (details: AuditDetails = {}) => audit.add(undefined, { workspaceId, actor, action: 'key.created', details });

  it('is written with its effect or not at all', async () => {
    const before = await countRows(client, 'audit_entries');
    const work = client.transaction(async (connection) => {
      await audit.add(connection, { workspaceId, actor, action: 'key.deleted' });
      throw new Error('undone');
    });
    await expect(work).rejects.toThrow('undone');
    expect(await countRows(client, 'audit_entries')).toBe(before);
    await client.transaction((connection) => audit.add(connection, { workspaceId, actor, action: 'key.deleted' }));
    expect(await countRows(client, 'audit_entries')).toBe(before + 1);
  });

  it('takes scalars under known names only, and where the request came from', async () => {
    const hostile = {
      role: 'viewer',
      password: 'secret',
      scopes: ['chat'],
      reason: { nested: 1 },
      owner: 'x'.repeat(5_000),
    } as unknown as AuditDetails;
    await new Promise<void>((resolve, reject) =>
      audit.within({ address: '127.0.0.9', requestId: 'r-1' }, () => void add(hostile).then(resolve, reject)),
    );
    const last = (await entries()).at(-1);
    expect(last).toMatchObject({ workspaceId, actorId: actor.userId, keyId: null, address: '127.0.0.9', requestId: 'r-1' });
    expect(last?.details).toEqual({ role: 'viewer', owner: 'x'.repeat(300) });
  });

  it.each([
    ['UPDATE', sql`UPDATE audit_entries SET action = 'auth.login'`],
    ['DELETE', sql`DELETE FROM audit_entries`],
    ['TRUNCATE', sql`TRUNCATE audit_entries`],
    [
      'UPDATE under retention',
      sql`WITH on_ AS (SELECT set_config('sutazai.audit_retention', 'on', false)) UPDATE audit_entries SET action = 'x' FROM on_`,
    ],
  ])('cannot be changed by %s', async (_, statement) => {
    await add();
    const before = await entries();
    await expect(client.query(statement)).rejects.toThrow('audit entries are only ever added');
    expect(await entries()).toEqual(before);
  });

  it('loses by retention what is older than its days, and nothing else', async () => {
    await add();
    const kept = await entries();
    const idAt = (days: number) => v7({ msecs: Date.now() - days * 86_400_000 });
    for (const days of [366, 400]) {
      await client.query(
        sql`INSERT INTO audit_entries (id, at, action) VALUES (${idAt(days)}::uuid, now() - make_interval(days => ${days}), 'auth.login')`,
      );
    }
    const retention = new AuditRetention(repository, { retention: { auditDays: 365 } } as AppConfig);
    expect(await retention.purge()).toBe(2);
    expect(await entries()).toEqual(kept);
    await expect(client.query(sql`DELETE FROM audit_entries`)).rejects.toThrow('audit entries are only ever added');
  });
});
