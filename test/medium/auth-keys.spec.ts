import { PostgresClient, sql } from '@backing/postgres';
import { Accounts, ApiKeys, Authenticator, Registration } from '@features/auth';
import { SCOPES, type Principal, type Role, type Scope } from '@kernel/identity';
import { describeDatabases } from '../support/databases';
import { ELSEWHERE, HERE, openIdentity, PASSWORD } from '../support/identity';

type Identity = Awaited<ReturnType<typeof openIdentity>>;

describeDatabases('API keys', (kind) => {
  let identity: Identity;
  let keys: ApiKeys;
  let authenticator: Authenticator;
  let accounts: Accounts;
  let admin: Principal;
  let bob: Principal;
  const database = (): PostgresClient => identity.database;
  const page = { limit: 20, order: 'desc' } as const;

  beforeAll(async () => {
    identity = await openIdentity(kind);
  });
  beforeEach(async () => {
    await database().query(sql`TRUNCATE users CASCADE`);
    const process = await identity.process({ registration: 'open' });
    keys = process.get(ApiKeys);
    authenticator = process.get(Authenticator);
    accounts = process.get(Accounts);
    const registration = process.get(Registration);
    const register = async (email: string) =>
      authenticator.authenticate((await registration.register({ email, password: PASSWORD }, HERE)).tokens.accessToken);
    admin = await register('ada@example.org');
    bob = await register('bob@example.org');
  });
  afterEach(() => jest.restoreAllMocks());
  afterAll(() => identity.close());

  const create = (principal: Principal, scopes: Scope[], expiresAt: Date | null = null) =>
    keys.create(principal, { owner: 'me', name: 'ci', scopes, expiresAt, requestsPerMinute: null, tokensPerDay: null });
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'fulfilled',
      (error: { code: string }) => error.code,
    );
  const setRole = (principal: Principal, role: Role) =>
    database().query(sql`UPDATE memberships SET role = ${role} WHERE user_id = ${principal.userId}::uuid`);
  const later = (milliseconds: number) => {
    const now = performance.now();
    jest.spyOn(performance, 'now').mockReturnValue(now + milliseconds);
  };

  it('authenticate as their maker with their scopes; only a hash is kept', async () => {
    const { key, secret } = await keys.create(bob, {
      owner: 'me',
      name: 'ci',
      scopes: ['chat', 'jobs:read', 'chat'],
      expiresAt: null,
      requestsPerMinute: 7,
      tokensPerDay: 9_000_000_000,
    });
    expect(secret).toMatch(/^sk-[\w-]{43}$/);
    expect(key).toMatchObject({ name: 'ci', scopes: ['chat', 'jobs:read'], hint: secret.slice(-4), requestsPerMinute: 7 });
    const principal = await authenticator.authenticate(secret);
    expect(principal).toEqual({
      kind: 'key',
      keyId: key.id,
      userId: bob.userId,
      workspaceId: bob.workspaceId,
      role: 'owner',
      instanceAdmin: false,
      scopes: new Set(['chat', 'jobs:read']),
      requestsPerMinute: 7,
      tokensPerDay: 9_000_000_000,
    });
    const rows = await database().query<{ row: string }>(sql`SELECT api_keys::text AS row FROM api_keys`);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.row).not.toContain(secret.slice(3, -4));
  });

  it('cannot have a scope that the maker lacks', async () => {
    expect(await codeOf(create(bob, ['chat', 'models:write']))).toBe('forbidden');
    expect(await codeOf(create(admin, [...SCOPES]))).toBe('fulfilled');
    await setRole(bob, 'viewer');
    later(5_000);
    const { tokens } = await accounts.login({ email: 'bob@example.org', password: PASSWORD }, ELSEWHERE.address);
    const viewer = await authenticator.authenticate(tokens.accessToken);
    expect(await codeOf(create(viewer, ['documents:write']))).toBe('forbidden');
    expect(await codeOf(create(viewer, ['documents:read']))).toBe('fulfilled');
  });

  it('lose the scopes that their maker loses', async () => {
    const { secret } = await create(admin, ['models:write', 'documents:write', 'documents:read', 'admin']);
    expect((await authenticator.authenticate(secret)).scopes).toEqual(
      new Set(['models:write', 'documents:write', 'documents:read', 'admin']),
    );
    await setRole(admin, 'viewer');
    await database().query(sql`UPDATE users SET instance_admin = false`);
    later(5_000);
    expect((await authenticator.authenticate(secret)).scopes).toEqual(new Set(['documents:read']));
  });

  it('are refused once deleted, at once; only the owner can delete or see them', async () => {
    const { key, secret } = await create(admin, ['chat']);
    await authenticator.authenticate(secret);
    const colleague: Principal = { ...bob, workspaceId: admin.workspaceId };
    const elsewhere: Principal = { ...admin, workspaceId: bob.workspaceId };
    for (const other of [bob, colleague, elsewhere]) {
      expect(await codeOf(keys.revoke(other, key.id))).toBe('not_found');
      expect((await keys.list(other, 'me', page)).data).toEqual([]);
    }
    expect((await keys.list(admin, 'me', page)).data).toEqual([key]);
    await keys.revoke(admin, key.id);
    expect(await codeOf(authenticator.authenticate(secret))).toBe('unauthenticated');
    expect(await codeOf(keys.revoke(admin, key.id))).toBe('not_found');
    expect((await keys.list(admin, 'me', page)).data).toEqual([]);
  });

  it('are refused when they expire, also from the cache', async () => {
    expect(await codeOf(create(admin, ['chat'], new Date(Date.now() - 1)))).toBe('invalid');
    const { secret } = await create(admin, ['chat'], new Date(Date.now() + 1_200));
    await authenticator.authenticate(secret);
    later(1_300);
    await database().query(sql`UPDATE api_keys SET expires_at = now()`);
    expect(await codeOf(authenticator.authenticate(secret))).toBe('unauthenticated');
  });

  it('are refused when their maker is suspended or leaves the workspace', async () => {
    const { secret } = await create(admin, ['chat']);
    await database().query(sql`UPDATE users SET status = 'suspended'`);
    expect(await codeOf(authenticator.authenticate(secret))).toBe('unauthenticated');
    await database().query(sql`UPDATE users SET status = 'active'`);
    expect(await codeOf(authenticator.authenticate(secret))).toBe('fulfilled');
    await database().query(sql`DELETE FROM memberships`);
    later(5_000);
    expect(await codeOf(authenticator.authenticate(secret))).toBe('unauthenticated');
  });

  it('cannot make, list or delete keys, nor log out', async () => {
    const { key, secret } = await create(admin, [...SCOPES]);
    const principal = await authenticator.authenticate(secret);
    expect(await codeOf(create(principal, ['chat']))).toBe('forbidden');
    expect(await codeOf(keys.list(principal, 'me', page))).toBe('forbidden');
    expect(await codeOf(keys.revoke(principal, key.id))).toBe('forbidden');
    expect(await codeOf(accounts.logout(principal))).toBe('forbidden');
  });

  it.each(['sk-', 'sk-unknown', `sk-${'x'.repeat(10_000)}`])('are refused when unknown', async (secret) => {
    expect(await codeOf(authenticator.authenticate(secret))).toBe('unauthenticated');
  });
});
