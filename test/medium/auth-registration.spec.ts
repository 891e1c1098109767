import { PostgresClient, sql } from '@backing/postgres';
import { Authenticator, FirstAdmin, Registration } from '@features/auth';
import { countRows, describeDatabases } from '../support/databases';
import { ELSEWHERE, HERE, openIdentity, PASSWORD } from '../support/identity';

type Identity = Awaited<ReturnType<typeof openIdentity>>;

async function empty(database: PostgresClient): Promise<void> {
  await database.query(sql`TRUNCATE users, instance_secrets CASCADE`);
}

describeDatabases('Registration', (kind) => {
  let identity: Identity;
  beforeAll(async () => {
    identity = await openIdentity(kind, { size: 10, overflow: 0 });
  });
  beforeEach(() => empty(identity.database));
  afterAll(() => identity.close());

  const registering = async (auth: Parameters<Identity['process']>[0] = {}) => (await identity.process(auth)).get(Registration);
  const person = (email: string) => ({ email, password: PASSWORD });

  it('G17 makes exactly one admin of 50 parallel first registrations, 20 rounds', async () => {
    const registration = await registering();
    for (let round = 0; round < 20; round += 1) {
      await empty(identity.database);
      const tries = await Promise.allSettled(
        Array.from({ length: 50 }, (_, n) => registration.register(person(`p${n}@example.org`), HERE)),
      );
      const refused = tries.filter((t) => t.status === 'rejected').map((t) => (t.reason as { code?: string }).code);
      expect(refused).toEqual(Array.from({ length: 49 }, () => 'forbidden'));
      for (const table of ['users', 'workspaces', 'memberships', 'collections', 'logins', 'refresh_tokens']) {
        expect([table, await countRows(identity.database, table)]).toEqual([table, 1]);
      }
      const admins = await identity.database.query(sql`SELECT 1 FROM users WHERE instance_admin AND first_admin`);
      expect(admins).toHaveLength(1);
    }
  }, 240_000);

  it('makes exactly one admin of 50 parallel first registrations when registration is open, and users of those it has room for', async () => {
    const registration = await registering({ registration: 'open' });
    const tries = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => registration.register(person(`p${n}@example.org`), HERE)));
    const refused = tries.filter((t) => t.status === 'rejected').map((t) => (t.reason as { code?: string }).code);
    expect(refused).toEqual(Array.from({ length: 44 }, () => 'rate_limited'));
    expect(
      await identity.database.query(sql`SELECT count(*)::int AS users, count(*) FILTER (WHERE instance_admin)::int AS admins FROM users`),
    ).toEqual([{ users: 6, admins: 1 }]);
  });

  it('answers two spellings of one e-mail with a conflict when open', async () => {
    const registration = await registering({ registration: 'open' });
    const first = await registration.register(person('  Ada.Å@Example.ORG '), HERE);
    expect(first.user).toMatchObject({ email: 'ada.å@example.org', instanceAdmin: true });
    const second = await registration.register(person('bob@example.org'), HERE);
    expect(second.user.instanceAdmin).toBe(false);
    // A + combining ring above
    await expect(registration.register(person('ada.A\u030a@example.org'), HERE)).rejects.toMatchObject({ code: 'conflict' });
    expect(await countRows(identity.database, 'users')).toBe(2);
  });

  it('lets five register in an hour from one address, and others from another', async () => {
    const registration = await registering({ registration: 'open' });
    await registration.register(person('first@example.org'), HERE);
    for (let n = 0; n < 5; n += 1) await registration.register(person(`p${n}@example.org`), ELSEWHERE);
    await expect(registration.register(person('p5@example.org'), ELSEWHERE)).rejects.toMatchObject({ code: 'rate_limited' });
    await expect(registration.register(person('p5@example.org'), HERE)).resolves.toMatchObject({ user: { email: 'p5@example.org' } });
  });

  it.each(['closed', 'invite'] as const)('lets nobody in after the first when %s', async (mode) => {
    const registration = await registering({ registration: mode });
    await registration.register(person('first@example.org'), HERE);
    await expect(registration.register(person('second@example.org'), HERE)).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('demands the setup token from elsewhere, makes one per database, and takes it once', async () => {
    const process = await identity.process();
    const other = await identity.process();
    const { setupToken } = await process.get(FirstAdmin).prepare();
    expect(setupToken).toMatch(/^setup-[\w-]{43}$/);
    expect(await other.get(FirstAdmin).prepare()).toEqual({ userMissing: true });
    const registration = other.get(Registration);
    await expect(registration.register(person('a@example.org'), ELSEWHERE)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(registration.register({ ...person('a@example.org'), setupToken: `${setupToken}x` }, ELSEWHERE)).rejects.toMatchObject({
      code: 'forbidden',
    });
    await registration.register({ ...person('a@example.org'), setupToken }, ELSEWHERE);
    expect(await countRows(identity.database, 'instance_secrets')).toBe(0);
    await expect(registration.register({ ...person('b@example.org'), setupToken }, ELSEWHERE)).rejects.toMatchObject({ code: 'forbidden' });
    expect(await process.get(FirstAdmin).prepare()).toEqual({ userMissing: false });
  });

  it('refuses a wrong setup token even on this machine, and stops guessing after ten a minute', async () => {
    const process = await identity.process({ setupToken: 'the-setup-token-of-the-settings' });
    expect(await process.get(FirstAdmin).prepare()).toEqual({ userMissing: true });
    const registration = process.get(Registration);
    const guess = (n: number) =>
      registration.register({ ...person('a@example.org'), setupToken: `guess ${n}` }, HERE).catch((error: unknown) => error);
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => guess(n)));
    const codes = answers.map((answer) => (answer as { code: string }).code).sort();
    expect(codes).toEqual([...Array<string>(10).fill('forbidden'), 'rate_limited', 'rate_limited']);
    const right = { ...person('a@example.org'), setupToken: 'the-setup-token-of-the-settings' };
    await expect(registration.register(right, HERE)).rejects.toMatchObject({ code: 'rate_limited' });
    await expect(registration.register(right, ELSEWHERE)).resolves.toMatchObject({ user: { instanceAdmin: true } });
  });

  it('makes the admin of the settings once, however many processes start', async () => {
    const auth = { adminEmail: 'Root@Example.org', adminPassword: PASSWORD };
    const processes = await Promise.all([identity.process(auth), identity.process(auth)]);
    expect(await Promise.all(processes.map((p) => p.get(FirstAdmin).prepare()))).toEqual([{ userMissing: false }, { userMissing: false }]);
    expect(await identity.database.query(sql`SELECT email, instance_admin FROM users`)).toEqual([
      { email: 'root@example.org', instance_admin: true },
    ]);
    expect(await countRows(identity.database, 'collections')).toBe(1);
  });

  it('leaves nothing behind when a part fails', async () => {
    const registration = await registering();
    await identity.database.query(sql`ALTER TABLE collections RENAME TO collections_elsewhere`);
    try {
      await expect(registration.register(person('a@example.org'), HERE)).rejects.toThrow('collections');
    } finally {
      await identity.database.query(sql`ALTER TABLE collections_elsewhere RENAME TO collections`);
    }
    expect(await countRows(identity.database, 'users')).toBe(0);
    expect(await countRows(identity.database, 'workspaces')).toBe(0);
    const { tokens } = await registration.register(person('a@example.org'), HERE);
    const principal = await (await identity.process()).get(Authenticator).authenticate(tokens.accessToken);
    expect(principal).toMatchObject({ kind: 'user', role: 'owner', instanceAdmin: true });
  });

  it('stores passwords as argon2id with 19 MiB and two passes, and refuses short and huge ones', async () => {
    const registration = await registering();
    await expect(registration.register({ email: 'a@example.org', password: 'elevenchars' }, HERE)).rejects.toMatchObject({
      code: 'invalid',
    });
    await expect(registration.register({ email: 'a@example.org', password: 'x'.repeat(1025) }, HERE)).rejects.toMatchObject({
      code: 'invalid',
    });
    await registration.register(person('a@example.org'), HERE);
    const rows = await identity.database.query<{ password_hash: string }>(sql`SELECT password_hash FROM users`);
    expect(rows[0]?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it.each(['', 'ada', 'a@b@c', 'a b@example.org', 'a\u0000@example.org', `${'x'.repeat(65)}@example.org`, `a@${'x'.repeat(253)}`])(
    'refuses %j as an e-mail',
    async (email) => {
      await expect((await registering()).register(person(email), HERE)).rejects.toMatchObject({
        code: 'invalid',
        errors: [{ path: 'email' }],
      });
    },
  );
});
