import { createHmac } from 'node:crypto';
import { PostgresClient, sql } from '@backing/postgres';
import { Accounts, Authenticator, Registration, type SignedIn } from '@features/auth';
import { countRows, describeDatabases } from '../support/databases';
import { HERE, openIdentity, PASSWORD } from '../support/identity';

const SECRET = 'a-secret-of-more-than-thirty-two-characters';
const PREVIOUS = 'the-secret-before-of-more-than-32-characters';
const EMAIL = 'ada@example.org';

type Identity = Awaited<ReturnType<typeof openIdentity>>;
type Module = Awaited<ReturnType<Identity['process']>>;

/** A token made by hand, so that every part of it can be wrong. */
function forged(header: { alg: string }, payload: object, secret = SECRET): string {
  const body = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${body}.${createHmac(header.alg === 'HS512' ? 'sha512' : 'sha256', secret)
    .update(body)
    .digest('base64url')}`;
}

describeDatabases('Logins', (kind) => {
  let identity: Identity;
  let process: Module;
  let accounts: Accounts;
  let authenticator: Authenticator;
  let registered: SignedIn;
  const database = (): PostgresClient => identity.database;

  beforeAll(async () => {
    identity = await openIdentity(kind, { size: 10, overflow: 0 });
  });
  beforeEach(async () => {
    await database().query(sql`TRUNCATE users CASCADE`);
    process = await identity.process({ jwtSecret: SECRET, jwtSecretPrevious: PREVIOUS });
    accounts = process.get(Accounts);
    authenticator = process.get(Authenticator);
    registered = await process.get(Registration).register({ email: EMAIL, password: PASSWORD, name: 'Ada' }, HERE);
  });
  afterEach(() => jest.restoreAllMocks());
  afterAll(() => identity.close());

  const login = () => accounts.login({ email: ` ${EMAIL.toUpperCase()}`, password: PASSWORD }, '127.0.0.1');
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'fulfilled',
      (error: { code: string }) => error.code,
    );

  describe('login', () => {
    it('answers the account and tokens that authenticate', async () => {
      const { user, workspace, tokens } = await login();
      expect({ user, workspace }).toEqual({ user: registered.user, workspace: registered.workspace });
      expect(tokens.expiresIn).toBe(900);
      const principal = await authenticator.authenticate(tokens.accessToken);
      expect(principal).toMatchObject({ kind: 'user', userId: user.id, workspaceId: workspace.id, role: 'owner', instanceAdmin: true });
      expect([...principal.scopes]).toEqual(expect.arrayContaining(['admin', 'models:write', 'documents:write']));
      expect(await accounts.me(principal)).toEqual({ user, workspace });
    });

    it('says the same of a wrong password, an unknown e-mail and a suspended person', async () => {
      const answer = (email: string, password: string) => accounts.login({ email, password }, '127.0.0.1').catch((e: Error) => e);
      const wrong = await answer(EMAIL, 'not the right password');
      const unknown = await answer('nobody@example.org', PASSWORD);
      await database().query(sql`UPDATE users SET status = 'suspended'`);
      const suspended = await answer(EMAIL, PASSWORD);
      expect(wrong).toMatchObject({ code: 'unauthenticated' });
      expect(unknown).toEqual(wrong);
      expect(suspended).toEqual(wrong);
    });

    it('hashes for an unknown e-mail as for a known one', async () => {
      const timed = async (email: string) => {
        const start = performance.now();
        await codeOf(accounts.login({ email, password: 'not the right password' }, '127.0.0.1'));
        return performance.now() - start;
      };
      const known: number[] = [];
      const unknown: number[] = [];
      for (let n = 0; n < 8; n += 1) {
        known.push(await timed(EMAIL));
        unknown.push(await timed('nobody@example.org'));
      }
      // The fastest of eight is the work alone; without the dummy hash it would be some tenth of the other.
      expect(Math.min(...unknown)).toBeGreaterThan(Math.min(...known) / 2);
    });

    it('refuses the 11th failure of an e-mail within a minute, even with the right password, and says how long', async () => {
      for (let n = 0; n < 10; n += 1) await codeOf(accounts.login({ email: EMAIL, password: `wrong password ${n}` }, `192.0.2.${n}`));
      const refused: unknown = await login().catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'rate_limited' });
      expect((refused as { retryAfterSeconds: number }).retryAfterSeconds).toBeGreaterThanOrEqual(1);
      expect((refused as { retryAfterSeconds: number }).retryAfterSeconds).toBeLessThanOrEqual(60);
      const now = performance.now();
      jest.spyOn(performance, 'now').mockReturnValue(now + 60_001);
      expect(await codeOf(login())).toBe('fulfilled');
    });

    it('refuses the 31st failure from an address within a minute', async () => {
      const codes = await Promise.all(
        Array.from({ length: 31 }, (_, n) => codeOf(accounts.login({ email: `p${n}@example.org`, password: PASSWORD }, '192.0.2.1'))),
      );
      expect(codes.filter((code) => code === 'rate_limited')).toHaveLength(1);
      expect(await codeOf(login())).toBe('fulfilled');
    });

    it('does not count what succeeds', async () => {
      for (let n = 0; n < 12; n += 1) await login();
      expect(await countRows(database(), 'logins')).toBe(13);
    });
  });

  describe('refresh', () => {
    it('rotates: new tokens of the same login', async () => {
      const first = await login();
      const second = await accounts.refresh(first.tokens.refreshToken);
      const third = await accounts.refresh(second.tokens.refreshToken);
      const [a, b] = await Promise.all([first, third].map(({ tokens }) => authenticator.authenticate(tokens.accessToken)));
      expect(a?.sessionId).toBe(b?.sessionId);
      expect(new Set([first, second, third].map(({ tokens }) => tokens.refreshToken)).size).toBe(3);
    });

    it('lets one of ten parallel refreshes through, with a conflict for the others and nothing revoked', async () => {
      for (let round = 0; round < 10; round += 1) {
        const { tokens } = await login();
        const before = await countRows(database(), 'refresh_tokens');
        const answers = await Promise.allSettled(Array.from({ length: 10 }, () => accounts.refresh(tokens.refreshToken)));
        const minted = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
        const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [(answer.reason as { code: string }).code] : []));
        expect(minted).toHaveLength(1);
        expect(refused).toEqual(Array(9).fill('conflict'));
        expect(await countRows(database(), 'refresh_tokens')).toBe(before + 1);
        expect(await codeOf(accounts.refresh(minted[0]?.tokens.refreshToken ?? ''))).toBe('fulfilled');
      }
    });

    it('takes a token used again more than 10 s later for stolen: the whole login ends, at once', async () => {
      const { tokens } = await login();
      const next = await accounts.refresh(tokens.refreshToken);
      await authenticator.authenticate(next.tokens.accessToken);
      await database().query(sql`UPDATE refresh_tokens SET rotated_at = rotated_at - interval '10.1 seconds' WHERE rotated_at IS NOT NULL`);
      expect(await codeOf(accounts.refresh(tokens.refreshToken))).toBe('unauthenticated');
      expect(await codeOf(authenticator.authenticate(next.tokens.accessToken))).toBe('unauthenticated');
      expect(await codeOf(accounts.refresh(next.tokens.refreshToken))).toBe('unauthenticated');
      expect(await database().query(sql`SELECT revoked_for FROM logins WHERE revoked_at IS NOT NULL`)).toEqual([{ revoked_for: 'reuse' }]);
      expect(await codeOf(authenticator.authenticate(registered.tokens.accessToken))).toBe('fulfilled');
    });

    it('refuses unknown and expired tokens and suspended people', async () => {
      const { tokens } = await login();
      expect(await codeOf(accounts.refresh('rt-unknown'))).toBe('unauthenticated');
      expect(await codeOf(accounts.refresh(tokens.accessToken))).toBe('unauthenticated');
      await database().query(sql`UPDATE refresh_tokens SET expires_at = now()`);
      expect(await codeOf(accounts.refresh(tokens.refreshToken))).toBe('unauthenticated');
      await database().query(sql`UPDATE refresh_tokens SET expires_at = now() + interval '1 day'`);
      await database().query(sql`UPDATE users SET status = 'suspended'`);
      expect(await codeOf(accounts.refresh(tokens.refreshToken))).toBe('unauthenticated');
    });

    it('keeps only hashes of refresh tokens', async () => {
      const { tokens } = await login();
      const rows = await database().query<{ row: string }>(sql`SELECT encode(token_hash, 'escape') AS row FROM refresh_tokens`);
      expect(rows.length).toBeGreaterThan(0);
      for (const { row } of rows) expect(row).not.toContain(tokens.refreshToken.slice(3));
    });
  });

  describe('logout', () => {
    it('refuses the tokens of that login at once, and of no other', async () => {
      const { tokens } = await login();
      await accounts.logout(await authenticator.authenticate(tokens.accessToken));
      expect(await codeOf(authenticator.authenticate(tokens.accessToken))).toBe('unauthenticated');
      expect(await codeOf(accounts.refresh(tokens.refreshToken))).toBe('unauthenticated');
      expect(await codeOf(authenticator.authenticate(registered.tokens.accessToken))).toBe('fulfilled');
    });

    it('reaches another process within 5 s', async () => {
      const other = (await identity.process({ jwtSecret: SECRET })).get(Authenticator);
      const { tokens } = await login();
      await other.authenticate(tokens.accessToken);
      await accounts.logout(await authenticator.authenticate(tokens.accessToken));
      const now = performance.now();
      jest.spyOn(performance, 'now').mockReturnValue(now + 5_000);
      expect(await codeOf(other.authenticate(tokens.accessToken))).toBe('unauthenticated');
    });
  });

  describe('access tokens', () => {
    const now = Math.floor(Date.now() / 1000);
    const header = { alg: 'HS256', typ: 'at+jwt' };
    const claims = async () => {
      const { userId, sessionId, workspaceId } = await authenticator.authenticate(registered.tokens.accessToken);
      return { sub: userId, sid: sessionId, wid: workspaceId, iss: 'sutazai', aud: 'sutazai-api', iat: now, exp: now + 900 };
    };

    it('are accepted when signed with the secret of now or before', async () => {
      expect(await codeOf(authenticator.authenticate(forged(header, await claims())))).toBe('fulfilled');
      expect(await codeOf(authenticator.authenticate(forged(header, await claims(), PREVIOUS)))).toBe('fulfilled');
      expect(await codeOf(authenticator.authenticate(forged(header, await claims(), `${SECRET}.`)))).toBe('unauthenticated');
    });

    it.each([
      [{ alg: 'none', typ: 'at+jwt' }],
      [{ alg: 'HS512', typ: 'at+jwt' }],
      [{ alg: 'RS256', typ: 'at+jwt' }],
      [{ alg: 'HS256', typ: 'JWT' }],
      [{ alg: 'HS256' }],
      [{ ...header, crit: ['b64'], b64: true }],
      [{ ...header, kid: '../../dev/null' }],
      [{ ...header, jwk: { kty: 'oct', k: '' } }],
    ])('are refused with the header %j', async (wrong) => {
      expect(await codeOf(authenticator.authenticate(forged(wrong, await claims())))).toBe('unauthenticated');
    });

    it.each([
      [{ iss: 'other' }],
      [{ aud: 'other' }],
      [{ exp: now - 1 }],
      [{ exp: undefined }],
      [{ iat: undefined }],
      [{ iat: now - 901 }],
      [{ nbf: now + 3_600 }],
      [{ sub: '0190a0a0-0000-7000-8000-000000000000' }],
      [{ wid: '0190a0a0-0000-7000-8000-000000000000' }],
      [{ sid: 'x' }],
      [{ sid: undefined }],
    ])('are refused with the claims %j', async (wrong) => {
      expect(await codeOf(authenticator.authenticate(forged(header, { ...(await claims()), ...wrong })))).toBe('unauthenticated');
    });

    it.each(['', '.', '..', 'a.b.c', 'null', 'undefined', 'x'.repeat(10_000)])('are refused when they are %j', async (token) => {
      expect(await codeOf(authenticator.authenticate(token))).toBe('unauthenticated');
    });

    it('are refused without a signature', async () => {
      expect(await codeOf(authenticator.authenticate(registered.tokens.accessToken.replace(/[^.]+$/, '')))).toBe('unauthenticated');
    });

    it('stop with a suspension within 5 s', async () => {
      await authenticator.authenticate(registered.tokens.accessToken);
      await database().query(sql`UPDATE users SET status = 'suspended'`);
      const start = performance.now();
      jest.spyOn(performance, 'now').mockReturnValue(start + 5_000);
      expect(await codeOf(authenticator.authenticate(registered.tokens.accessToken))).toBe('unauthenticated');
    });
  });
});
