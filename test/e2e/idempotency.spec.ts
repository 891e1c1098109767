import { createHash } from 'node:crypto';
import { PostgresClient, sql } from '@backing/postgres';
import { Idempotency, IdempotencyRetention } from '@features/idempotency';
import { startApi, type ApiAnswer, type Registered, type TestApi } from '../support/api';
import { countRows, describeDatabases } from '../support/databases';
import { until } from '../support/until';

const SESSIONS = '/api/v1/chat/sessions';
const COLLECTIONS = '/api/v1/vectors/collections';
const DOCUMENTS = '/api/v1/documents';

describeDatabases('Idempotency-Key', (kind) => {
  let api: TestApi;
  let me: Registered;
  let database: PostgresClient;
  beforeAll(async () => {
    api = await startApi({ database: kind, env: { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '100000' } });
    me = await api.register();
    database = api.app.get(PostgresClient);
  });
  afterAll(() => api.close());

  let number = 0;
  const newKey = (): string => `key ${(number += 1)} ~!"`;
  const post = (path: string, body: unknown, key: string, headers: Record<string, string> = {}, token = me.accessToken) =>
    api.request(path, { method: 'POST', token, body, headers: { 'idempotency-key': key, ...headers } });
  const parts = ({ status, text, headers }: ApiAnswer) => ({
    status,
    text,
    location: headers.get('location'),
    etag: headers.get('etag'),
    type: headers.get('content-type'),
  });
  const replayed = ({ headers }: ApiAnswer): string | null => headers.get('idempotent-replayed');
  const problem = ({ status, json }: ApiAnswer): unknown[] => [status, json.code];

  it('gives a repeat the stored answer byte for byte, and does nothing more', async () => {
    const key = newKey();
    const before = await countRows(database, 'chat_sessions');
    const first = await post(SESSIONS, { title: 'Once', options: { temperature: 0 } }, key);
    expect([first.status, replayed(first)]).toEqual([201, null]);
    const again = await post(SESSIONS, { options: { temperature: 0 }, title: 'Once' }, key, { 'x-request-id': 'another' });
    expect(parts(again)).toEqual(parts(first));
    expect([replayed(again), again.headers.get('x-request-id'), first.headers.get('location')]).toEqual([
      'true',
      'another',
      `${SESSIONS}/${String(first.json.id)}`,
    ]);
    expect(await countRows(database, 'chat_sessions')).toBe(before + 1);
    await api.request(`${SESSIONS}/${String(first.json.id)}`, { method: 'PATCH', token: me.accessToken, body: { title: 'Changed' } });
    expect(parts(await post(SESSIONS, { title: 'Once', options: { temperature: 0 } }, key))).toEqual(parts(first));
    expect((await post(SESSIONS, { title: 'Once' }, newKey())).json.id).not.toBe(first.json.id);
  });

  it('is held for ten seconds at most by a process that stands still', async () => {
    const { userId, workspaceId } = me;
    const principal = { kind: 'user', userId, workspaceId, role: 'owner', instanceAdmin: true, scopes: new Set<never>() } as const;
    const attempt = api.app.get(Idempotency).attempt({ principal, route: 'POST /still', key: newKey(), secret: false });
    attempt.fingerprint = Buffer.alloc(32);
    const setting = sql`SELECT current_setting('idle_in_transaction_session_timeout') AS bound`;
    const rows = await attempt.transaction.unit((connection) => connection.query<{ bound: string }>(setting));
    await attempt.transaction.rollBack();
    // The embedded database lives and dies with its only process.
    expect(rows).toEqual([{ bound: kind === 'embedded' ? '0' : '10s' }]);
  });

  it.each([
    ['another body', SESSIONS, { title: 'B' }],
    ['another query', `${SESSIONS}?x=1`, { title: 'A' }],
  ])('refuses a key that comes with %s', async (_, path, body) => {
    const key = newKey();
    expect((await post(SESSIONS, { title: 'A' }, key)).status).toBe(201);
    expect(problem(await post(path, body, key))).toEqual([422, 'idempotency_key_reused']);
  });

  it.each([
    ['empty', ''],
    ['too long', 'k'.repeat(256)],
    ['with a tab', 'a\tb'],
    ['not of ASCII', 'café'],
  ])('refuses a key that is %s, by its name', async (_, key) => {
    const { status, json } = await post(SESSIONS, {}, key);
    expect([status, json.code, json.errors]).toEqual([
      400,
      'invalid',
      [{ path: 'Idempotency-Key', message: expect.stringContaining('1 to 255 printable ASCII') }],
    ]);
    expect((await post(SESSIONS, {}, 'k'.repeat(255))).status).toBe(201);
  });

  it('belongs to one principal and one route', async () => {
    const key = newKey();
    const mine = await post(SESSIONS, {}, key);
    const other = await api.register(`${kind}-other@example.org`);
    const apiKey = await api.key(me.accessToken, ['chat', 'agents:write', 'agents:read']);
    const theirs = await post(SESSIONS, {}, key, {}, other.accessToken);
    const byKey = await post(SESSIONS, {}, key, {}, apiKey);
    expect(new Set([mine, theirs, byKey].map(({ status, json }) => `${status} ${String(json.id)}`)).size).toBe(3);
    expect([theirs, byKey].map((answer) => [answer.status, replayed(answer)])).toEqual([
      [201, null],
      [201, null],
    ]);
    const elsewhere = await post(COLLECTIONS, { name: 'bring', dimensions: 3 }, key);
    expect([elsewhere.status, elsewhere.json.name, replayed(elsewhere)]).toEqual([201, 'bring', null]);
    // A new login of the same person is the same principal.
    const login = await api.post('/api/v1/auth/login', { email: 'first@example.org', password: 'correct horse battery staple' });
    expect(parts(await post(SESSIONS, {}, key, {}, String(login.json.access_token)))).toEqual(parts(mine));
  });

  it('keeps refusals of the request, and neither those of the caller nor of the moment', async () => {
    const taken = newKey();
    await post(COLLECTIONS, { name: 'taken', dimensions: 3 }, newKey());
    const refused = await post(COLLECTIONS, { name: 'taken', dimensions: 3 }, taken);
    expect(problem(refused)).toEqual([409, 'conflict']);
    await api.delete(`${COLLECTIONS}/taken`, me.accessToken);
    const again = await post(COLLECTIONS, { name: 'taken', dimensions: 3 }, taken);
    expect([parts(again), replayed(again)]).toEqual([parts(refused), 'true']);
    const invalid = newKey();
    const first = await post(SESSIONS, { title: 7 }, invalid);
    expect(problem(first)).toEqual([400, 'invalid']);
    expect(parts(await post(SESSIONS, { title: 7 }, invalid))).toEqual(parts(first));
    expect(problem(await post(SESSIONS, { title: '7' }, invalid))).toEqual([422, 'idempotency_key_reused']);
    const kept = await countRows(database, 'idempotency_keys');
    expect(problem(await post(SESSIONS, {}, newKey(), {}, 'no token'))).toEqual([401, 'unauthenticated']);
    expect(problem(await post(COLLECTIONS, {}, newKey(), {}, await api.key(me.accessToken, ['chat'])))).toEqual([403, 'forbidden']);
    // This one is said by the handler: the right may come.
    const plain = await api.register(`${kind}-plain@example.org`);
    const beyond = { name: 'beyond', scopes: ['models:write'] };
    expect(problem(await post('/api/v1/auth/keys', beyond, newKey(), {}, plain.accessToken))).toEqual([403, 'forbidden']);
    expect(await countRows(database, 'idempotency_keys')).toBe(kept);
  });

  it('forgets a failure of the server with all that was written', async () => {
    const key = newKey();
    await database.query(sql`ALTER TABLE idempotency_keys ADD CONSTRAINT nothing_now CHECK (false) NOT VALID`);
    const before = await countRows(database, 'chat_sessions');
    const failed = await post(SESSIONS, { title: 'Twice' }, key);
    expect([problem(failed), replayed(failed)]).toEqual([[500, 'internal'], null]);
    expect(await countRows(database, 'chat_sessions')).toBe(before);
    await database.query(sql`ALTER TABLE idempotency_keys DROP CONSTRAINT nothing_now`);
    expect((await post(SESSIONS, { title: 'Twice' }, key)).status).toBe(201);
    expect(await countRows(database, 'chat_sessions')).toBe(before + 1);
  });

  it('stores no secret: the repeat is refused, and makes nothing', async () => {
    const made: [string, object, string][] = [
      ['/api/v1/auth/keys', { name: 'once', scopes: ['chat'] }, 'api_keys'],
      ['/api/v1/users', { email: 'guest@example.org', role: 'viewer' }, 'invitations'],
      [`/api/v1/workspaces/${me.workspaceId}/members`, { email: 'guest2@example.org', role: 'viewer' }, 'invitations'],
      [`/api/v1/users/${me.userId}/reset`, {}, 'password_resets'],
    ];
    for (const [path, body, table] of made) {
      const key = newKey();
      const first = await post(path, body, key);
      expect([path, first.status, replayed(first)]).toEqual([path, 201, null]);
      const rows = await countRows(database, table);
      const again = await post(path, body, key);
      expect([path, ...problem(again), replayed(again)]).toEqual([path, 409, 'conflict', null]);
      expect(await countRows(database, table)).toBe(rows);
      expect(problem(await post(path, { ...body, more: 1 }, key))).toEqual([422, 'idempotency_key_reused']);
    }
    const kept = await database.query<{ text: string }>(
      sql`SELECT coalesce(convert_from(body, 'UTF8'), '') || coalesce(headers::text, '') || coalesce(accepted::text, '') AS text FROM idempotency_keys`,
    );
    expect(kept.filter(({ text }) => /"(secret|token|invite_token|reset_token)"/.test(text))).toEqual([]);
  });

  it('does the same for workspaces, agents and documents, whatever their request looks like', async () => {
    const made: [string, object][] = [
      ['/api/v1/workspaces', { name: 'Second' }],
      ['/api/v1/agents', { name: 'helper', instructions: 'Help.' }],
      [DOCUMENTS, { name: 'a.txt', text: 'A text to keep.' }],
    ];
    for (const [path, body] of made) {
      const key = newKey();
      const first = await post(path, body, key);
      expect([path, [201, 202].includes(first.status), replayed(first)]).toEqual([path, true, null]);
      const again = await post(path, body, key);
      expect([parts(again), replayed(again)]).toEqual([parts(first), 'true']);
    }
    expect(await countRows(database, 'workspaces')).toBe(4);
    expect(await countRows(database, 'documents')).toBe(1);
  });

  it('tells forms apart by the names of their parts and what these hold', async () => {
    const form = (text: string, metadata: string, name = 'n.txt'): FormData => {
      const made = new FormData();
      made.append('metadata', metadata);
      made.append('file', new Blob([text]), name);
      return made;
    };
    const key = newKey();
    const documents = await countRows(database, 'documents');
    const first = await post(DOCUMENTS, form('Of a form.', '{"a":1}'), key);
    expect(first.status).toBe(202);
    const again = await post(DOCUMENTS, form('Of a form.', '{"a":1}'), key);
    expect([parts(again), replayed(again)]).toEqual([parts(first), 'true']);
    expect(problem(await post(DOCUMENTS, form('Of a form!', '{"a":1}'), key))).toEqual([422, 'idempotency_key_reused']);
    expect(problem(await post(DOCUMENTS, form('Of a form.', '{"a":2}'), key))).toEqual([422, 'idempotency_key_reused']);
    expect(problem(await post(DOCUMENTS, { name: 'n.txt', text: 'Of a form.' }, key))).toEqual([422, 'idempotency_key_reused']);
    expect(await countRows(database, 'documents')).toBe(documents + 1);
    const bad = newKey();
    const refused = await post(DOCUMENTS, form('x', 'not json'), bad);
    expect(problem(refused)).toEqual([400, 'invalid']);
    expect(parts(await post(DOCUMENTS, form('x', 'not json'), bad))).toEqual(parts(refused));
  });

  it('lets one of many at the same moment through', async () => {
    const requests: [string, () => unknown, string][] = [
      [SESSIONS, () => ({ title: 'Race' }), 'chat_sessions'],
      [
        DOCUMENTS,
        () => {
          const form = new FormData();
          form.append('file', new Blob(['A race of forms.']), 'r.txt');
          return form;
        },
        'documents',
      ],
      ['/api/v1/auth/keys', () => ({ name: 'race', scopes: ['chat'] }), 'api_keys'],
    ];
    for (const [path, body, table] of requests)
      for (let round = 0; round < 4; round += 1) {
        const key = newKey();
        const before = await countRows(database, table);
        const answers = await Promise.all(Array.from({ length: 50 }, () => post(path, body(), key)));
        const whole = answers.filter(({ status }) => status < 300);
        const others = answers.filter(({ status }) => status >= 300).map(problem);
        expect(new Set(whole.map((answer) => JSON.stringify(parts(answer)))).size).toBe(1);
        expect(whole.filter((answer) => replayed(answer) === null)).toHaveLength(1);
        expect(
          others.filter(([status, code]) => status !== 409 || !['idempotency_in_progress', 'conflict'].includes(String(code))),
        ).toEqual([]);
        expect(await countRows(database, table)).toBe(before + (path === DOCUMENTS && round > 0 ? 0 : 1));
      }
  });

  // The embedded database has one connection: a second request waits for the end of the first.
  const whileAtWork = async (): Promise<void> => {
    const key = newKey();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const locked = new Promise<void>((isLocked) => {
      void database.transaction(async (connection) => {
        await connection.query(sql`LOCK TABLE workspaces IN ACCESS EXCLUSIVE MODE`);
        isLocked();
        await held;
      });
    });
    await locked;
    const first = post('/api/v1/workspaces', { name: 'Slow' }, key);
    const waits = async (): Promise<boolean> =>
      (await database.query(sql`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)).length >
      0;
    await until(waits);
    const second = await post('/api/v1/workspaces', { name: 'Slow' }, key);
    expect(problem(second)).toEqual([409, 'idempotency_in_progress']);
    expect(second.headers.get('retry-after')).toBe('1');
    release();
    expect((await first).status).toBe(201);
    expect(parts(await post('/api/v1/workspaces', { name: 'Slow' }, key))).toEqual(parts(await first));
  };
  const refusedMeanwhile = async (): Promise<void> => {
    await post(COLLECTIONS, { name: 'meanwhile', dimensions: 3 }, newKey());
    const key = newKey();
    const id = createHash('sha256')
      .update(JSON.stringify([me.workspaceId, me.userId, null, `POST ${COLLECTIONS}`, key]))
      .digest();
    const lock = id.readBigInt64BE().toString();
    await database.transaction(async (connection) => {
      await connection.query(sql`SELECT pg_advisory_xact_lock(${lock}::bigint)`);
      // What stands in its way may be the other one's work.
      expect(problem(await post(COLLECTIONS, { name: 'meanwhile', dimensions: 3 }, key))).toEqual([409, 'idempotency_in_progress']);
    });
    const own = await post(COLLECTIONS, { name: 'meanwhile', dimensions: 3 }, key);
    expect([problem(own), replayed(own)]).toEqual([[409, 'conflict'], null]);
  };
  if (kind === 'postgres') {
    it('answers 409 while the first one is at work', whileAtWork);
    it('does not say why it is refused while another one with its key is at work', refusedMeanwhile);
  }

  it('forgets after 24 hours, and with the workspace and the person', async () => {
    const key = newKey();
    const first = await post(SESSIONS, {}, key);
    await database.query(sql`UPDATE idempotency_keys SET created_at = now() - interval '24 hours'`);
    const second = await post(SESSIONS, {}, key);
    expect([second.status, replayed(second)]).toEqual([201, null]);
    expect(second.json.id).not.toBe(first.json.id);
    expect(await api.app.get(IdempotencyRetention, { strict: false }).purge()).toBeGreaterThan(0);
    expect(await countRows(database, 'idempotency_keys')).toBe(1);
    const leaver = await api.register(`${kind}-leaver@example.org`);
    await post(SESSIONS, {}, newKey(), {}, leaver.accessToken);
    expect(await countRows(database, 'idempotency_keys')).toBe(2);
    expect((await api.delete(`/api/v1/users/${leaver.userId}`, me.accessToken)).status).toBe(204);
    expect(await countRows(database, 'idempotency_keys')).toBe(1);
  });

  it('changes nothing for requests without it, and for those that make nothing', async () => {
    const kept = await countRows(database, 'idempotency_keys');
    expect((await api.post(SESSIONS, {}, me.accessToken)).status).toBe(201);
    const key = newKey();
    const search = await post('/api/v1/vectors/collections/bring/points/count', {}, key);
    expect([search.status, replayed(await post('/api/v1/vectors/collections/bring/points/count', {}, key))]).toEqual([200, null]);
    expect(await countRows(database, 'idempotency_keys')).toBe(kept);
  });
});
