import { PostgresClient, sql } from '@backing/postgres';
import type { Role } from '@kernel/identity';
import { Passwords } from '../../../libs/features/auth/people/passwords.service';
import { RouteTable } from '../../../apps/api/src/http/route-table';
import { startApi, type ApiAnswer, type TestApi } from '../../support/api';
import { gate } from '../../support/jobs';
import { PlannedRuntime } from '../../support/planned.runtime';
import { openTeam, PASSWORD, tenantState, type Team } from '../kit';

const NEW_PASSWORD = 'another horse, another battery';
/** Rounds of first registrations; RACES=200 is the long form. */
const RACES = Number(process.env.RACES ?? 10);
/** By which a revocation must hold on every door. */
const REVOKED_MS = 5_000;

interface Guest {
  userId: string;
  email: string;
  token: string;
  key: string;
}

describe('what was taken away, and what is given once', () => {
  let api: TestApi;
  let team: Team;
  let database: PostgresClient;
  let model: PlannedRuntime;
  let address = 0;
  /** What the model waits for; opened also when a test fails. */
  const holds: { open(): void }[] = [];

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000', TRUSTED_PROXIES: '127.0.0.1' } });
    model = new PlannedRuntime('planned', true).serve(api.app);
    team = await openTeam(api);
    database = team.database;
  });
  afterEach(() => {
    for (const hold of holds.splice(0)) hold.open();
  });
  afterAll(() => api?.close());

  /** From an address that nobody has used: limits of addresses are the matter of other cases. */
  const ask = (method: string, path: string, body?: unknown, token?: string): Promise<ApiAnswer> => {
    address += 1;
    return api.request(path, { method, body, token, headers: { 'x-forwarded-for': `198.18.${address >> 8}.${address & 255}` } });
  };
  const accept = (body: unknown) => ask('POST', '/api/v1/auth/accept', body);
  const login = (email: string, password: string) => ask('POST', '/api/v1/auth/login', { email, password });
  const admin = () => team.actors.instanceAdmin.token;
  const owner = () => team.actors.owner.token;
  const home = () => `/api/v1/workspaces/${team.victim.workspace}`;

  async function guest(role: Role = 'editor'): Promise<Guest> {
    const { userId, email } = await team.people.make('guest');
    await team.people.join(userId, team.victim.workspace, role);
    const { secret } = await team.people.key(userId, team.victim.workspace, ['chat', 'documents:read', 'jobs:read', 'models:read']);
    return { userId, email, token: await team.people.token(userId, team.victim.workspace), key: secret };
  }

  async function reset(userId: string): Promise<string> {
    const { status, json } = await ask('POST', `/api/v1/users/${userId}/reset`, undefined, admin());
    expect(status).toBe(201);
    return String(json.reset_token);
  }

  async function invite(email: string, role: Role = 'viewer', token = owner()): Promise<string> {
    const { status, json } = await ask('POST', `${home()}/members`, { email, role }, token);
    expect(status).toBe(201);
    return String(json.invite_token);
  }

  const doors = ['/api/v1/auth/me', '/api/v1/documents', '/api/v1/chat/sessions', '/api/v1/jobs', '/v1/models', '/health/detailed'];
  async function expectShut(bearer: string): Promise<void> {
    for (const path of doors) expect([path, (await api.get(path, bearer)).status]).toEqual([path, 401]);
    const post = await api.post('/v1/chat/completions', { model: 'planned', messages: [{ role: 'user', content: 'x' }] }, bearer);
    expect(post.status).toBe(401);
  }
  async function expectOpen(bearer: string): Promise<void> {
    for (const path of doors) expect([path, (await api.get(path, bearer)).status]).toEqual([path, 200]);
  }

  describe('G10 E20 rights that ended', () => {
    const endings: [string, (person: Guest) => Promise<number>, 'token' | 'all'][] = [
      ['suspended', async ({ userId }) => (await ask('PATCH', `/api/v1/users/${userId}`, { status: 'suspended' }, admin())).status, 'all'],
      ['deleted', async ({ userId }) => (await ask('DELETE', `/api/v1/users/${userId}`, undefined, admin())).status, 'all'],
      [
        'removed from the workspace',
        async ({ userId }) => (await ask('DELETE', `${home()}/members/${userId}`, undefined, owner())).status,
        'all',
      ],
      [
        'gone by themselves',
        async ({ userId, token }) => (await ask('DELETE', `${home()}/members/${userId}`, undefined, token)).status,
        'all',
      ],
      ['logged out', async ({ token }) => (await ask('POST', '/api/v1/auth/logout', undefined, token)).status, 'token'],
      [
        'given a new password',
        async ({ token }) =>
          (await ask('POST', '/api/v1/auth/password', { current_password: PASSWORD, new_password: NEW_PASSWORD }, token)).status,
        'token',
      ],
    ];

    it.each(endings)('G10 E20 somebody %s is out at once, on every door and in open streams', async (_, end, what) => {
      const person = await guest();
      await expectOpen(person.token);
      await expectOpen(person.key);
      const streams = await openStreams(person, what === 'all');
      // So that both are remembered at the moment at which they end.
      await Promise.all([person.token, person.key].map((bearer) => api.get('/api/v1/auth/me', bearer)));
      const begun = performance.now();
      expect([200, 204]).toContain(await end(person));
      await expectShut(person.token);
      if (what === 'all') await expectShut(person.key);
      else await expectOpen(person.key);
      await streams.ended();
      expect(performance.now() - begun).toBeLessThan(REVOKED_MS);
    });

    it('G10 somebody suspended by another process is out within 5 s, also of a stream', async () => {
      const person = await guest();
      await expectOpen(person.token);
      await expectOpen(person.key);
      const streams = await openStreams(person, true);
      const begun = performance.now();
      await database.query(sql`UPDATE users SET status = 'suspended' WHERE id = ${person.userId}::uuid`);
      await streams.ended();
      for (const bearer of [person.token, person.key])
        while ((await api.get('/api/v1/auth/me', bearer)).status !== 401) expect(performance.now() - begun).toBeLessThan(REVOKED_MS);
      expect(performance.now() - begun).toBeLessThan(REVOKED_MS);
    });

    it('G10 somebody suspended neither signs in, refreshes, accepts nor resets', async () => {
      const person = await guest();
      const { refresh_token } = (await login(person.email, PASSWORD)).json as unknown as { refresh_token: string };
      const token = await reset(person.userId);
      const invitation = await invite(`${person.userId}-other@example.org`);
      await ask('PATCH', `/api/v1/users/${person.userId}`, { status: 'suspended' }, admin());
      expect((await login(person.email, PASSWORD)).status).toBe(401);
      expect((await ask('POST', '/api/v1/auth/refresh', { refresh_token })).status).toBe(401);
      expect((await accept({ reset_token: token, password: NEW_PASSWORD })).status).toBe(403);
      expect((await login(person.email, NEW_PASSWORD)).status).toBe(401);
      await database.query(sql`UPDATE invitations SET email = ${person.email} WHERE email = ${`${person.userId}-other@example.org`}`);
      expect((await accept({ invite_token: invitation, password: PASSWORD })).status).toBe(401);
      const resumed = await ask('PATCH', `/api/v1/users/${person.userId}`, { status: 'active' }, admin());
      expect(resumed.status).toBe(200);
      // The logins of before stay ended.
      await expectShut(person.token);
      expect((await ask('POST', '/api/v1/auth/refresh', { refresh_token })).status).toBe(401);
    });

    it('G10 a demoted admin acts in the new role at once', async () => {
      const person = await guest('admin');
      expect((await api.get('/api/v1/audit', person.token)).status).toBe(200);
      await ask('PATCH', `${home()}/members/${person.userId}`, { role: 'viewer' }, owner());
      expect((await api.get('/api/v1/audit', person.token)).status).toBe(403);
      expect((await api.post('/api/v1/documents', { name: 'x.txt', text: 'x' }, person.token)).status).toBe(403);
      expect((await ask('POST', `${home()}/members`, { email: 'x@example.org', role: 'viewer' }, person.token)).status).toBe(403);
    });

    it('E20 a removed member comes back neither by a switch nor by an old invitation of their own', async () => {
      const person = await guest('admin');
      const mine = `${person.userId}-second@example.org`;
      const invitation = await invite(mine, 'admin', person.token);
      await ask('DELETE', `${home()}/members/${person.userId}`, undefined, owner());
      const elsewhere = String((await login(person.email, PASSWORD)).json.access_token);
      expect((await ask('POST', '/api/v1/auth/switch', { workspace_id: team.victim.workspace }, elsewhere)).status).toBe(404);
      expect((await accept({ invite_token: invitation, password: PASSWORD })).status).toBe(400);
      for (const rest of ['', '/members', '/invitations'])
        expect([rest, (await api.get(home() + rest, elsewhere)).status]).toEqual([rest, 404]);
    });

    it('E20 a deleted workspace is shut for everybody who was in it', async () => {
      const { userId } = await team.people.make('keeper');
      const workspace = await team.people.workspace(userId, 'short-lived');
      const token = await team.people.token(userId, workspace);
      const { secret } = await team.people.key(userId, workspace, ['documents:read', 'models:read', 'chat', 'jobs:read']);
      await expectOpen(secret);
      expect((await ask('DELETE', `/api/v1/workspaces/${workspace}`, undefined, token)).status).toBe(204);
      await expectShut(token);
      await expectShut(secret);
    });

    /** A stream of events of a running job and a streamed completion, by token and by key. */
    async function openStreams(person: Guest, byKey: boolean): Promise<{ ended(): Promise<void> }> {
      const hold = gate();
      holds.push(hold);
      model.plan = async function* () {
        yield { say: 'Once upon a time' };
        await hold.opened;
      };
      const session = await api.post('/api/v1/chat/sessions', { model: 'planned' }, person.token);
      const asked = await api.post(`/api/v1/chat/sessions/${String(session.json.id)}/messages`, { content: 'Go.' }, person.token);
      const { job } = asked.json as unknown as { job: { id: string } };
      const body = { model: 'planned', stream: true, messages: [{ role: 'user', content: 'Go.' }] };
      const opened: Promise<Response>[] = [];
      for (const token of byKey ? [person.token, person.key] : [person.token]) {
        opened.push(api.fetch('/v1/chat/completions', { method: 'POST', body, token }));
        opened.push(api.fetch(`/api/v1/jobs/${job.id}/events`, { token }));
      }
      const readers = await Promise.all(
        opened.map(async (response) => {
          const reader = (await response).body?.getReader();
          expect((await reader?.read())?.value?.length).toBeGreaterThan(0);
          return reader;
        }),
      );
      const ends = readers.map(async (reader) => {
        for (;;) {
          const read = await reader?.read().catch(() => ({ done: true }));
          if (read?.done !== false) return;
        }
      });
      return {
        ended: async () => {
          const late = new Promise<string>((resolve) => void setTimeout(resolve, 2 * REVOKED_MS, 'still open').unref());
          const state = await Promise.race([Promise.all(ends).then(() => 'ended'), late]);
          hold.open();
          expect(state).toBe('ended');
        },
      };
    }
  });

  describe('G05 a reset without its token', () => {
    it.each([
      ['empty', { reset_token: '' }],
      ['null', { reset_token: null }],
      ['the word null', { reset_token: 'null' }],
      ['the word undefined', { reset_token: 'undefined' }],
      ['false', { reset_token: false }],
      ['zero', { reset_token: 0 }],
      ['a space', { reset_token: ' ' }],
      ['a list', { reset_token: [] }],
      ['a condition', { reset_token: { $ne: '' } }],
      ['its prefix alone', { reset_token: 'pr-' }],
      ['a wildcard', { reset_token: 'pr-%' }],
      ['none', {}],
      ['an e-mail in its place', { email: 'first@example.org' }],
      ['a code in its place', { code: '000000', reset_token: 'pr-000000' }],
      ['a person beside it', { reset_token: 'pr-x', user_id: 'first' }],
      ['an empty invitation', { invite_token: '' }],
      ['no invitation', { invite_token: null }],
      ['an invitation of nobody', { invite_token: 'inv-' }],
      ['both', { invite_token: 'inv-x', reset_token: 'pr-x' }],
    ])('G05 %s: 400, and nothing changes', async (_, body) => {
      const person = await guest();
      await reset(person.userId);
      const before = await tenantState(database, team.victim.workspace);
      const { status, json, text } = await accept({ password: NEW_PASSWORD, ...body });
      expect([status, json.code]).toEqual([400, 'invalid']);
      team.expectClean(text);
      expect(await tenantState(database, team.victim.workspace)).toEqual(before);
    });

    it('G05 nor by the hash or the id of a token, by an expired one, or by one for another thing', async () => {
      const person = await guest();
      const token = await reset(person.userId);
      const [row] = await database.query<{ id: string; hash: string }>(
        sql`SELECT id, encode(token_hash, 'hex') AS hash FROM password_resets WHERE user_id = ${person.userId}::uuid`,
      );
      for (const wrong of [
        row?.id,
        row?.hash,
        `pr-${row?.hash}`,
        `inv-${token.slice(3)}`,
        token.slice(0, -1),
        `${token}x`,
        token.toUpperCase(),
      ])
        expect((await accept({ reset_token: wrong, password: NEW_PASSWORD })).status).toBe(400);
      expect((await accept({ invite_token: token, password: NEW_PASSWORD })).status).toBe(400);
      await expectShut(token);
      await database.query(sql`UPDATE password_resets SET expires_at = now() WHERE user_id = ${person.userId}::uuid`);
      expect((await accept({ reset_token: token, password: NEW_PASSWORD })).status).toBe(400);
      expect((await login(person.email, NEW_PASSWORD)).status).toBe(401);
      expect((await login(person.email, PASSWORD)).status).toBe(200);
    });

    it('G05 nobody but the instance admin issues one', async () => {
      const { viewer, editor, admin: workspaceAdmin, owner: workspaceOwner, otherUser, keyFull } = team.actors;
      for (const { token, key, name } of [viewer, editor, workspaceAdmin, workspaceOwner, otherUser, keyFull]) {
        const { status, text } = await ask('POST', `/api/v1/users/${viewer.userId}/reset`, undefined, token ?? key);
        expect([name, status]).toEqual([name, 403]);
        expect(text).not.toContain('pr-');
      }
      for (const path of ['forgot', 'forgot-password', 'reset', 'reset-password', 'recover', 'magic-link', 'otp', 'mfa'])
        expect([path, (await ask('POST', `/api/v1/auth/${path}`, { email: viewer.userId })).status]).toEqual([path, 404]);
    });
  });

  describe('G07 what is good once', () => {
    it('G07 a reset token: not with spaces, once without, then never again', async () => {
      const person = await guest();
      const token = await reset(person.userId);
      const spellings = [` ${token}`, `${token} `, `${token}\n`, `\t${token}`, `${token}\u200b`, `${token}%20`];
      for (const spelling of spellings) expect((await accept({ reset_token: spelling, password: NEW_PASSWORD })).status).toBe(400);
      expect((await accept({ reset_token: token, password: NEW_PASSWORD })).status).toBe(200);
      for (const again of [token, ...spellings]) expect((await accept({ reset_token: again, password: PASSWORD })).status).toBe(400);
      await expectShut(person.token);
      expect((await login(person.email, PASSWORD)).status).toBe(401);
      expect((await login(person.email, NEW_PASSWORD)).status).toBe(200);
    });

    it.each(['reset', 'invitation'] as const)('G07 a %s that 12 use at once lets exactly one through', async (kind) => {
      const person = await guest();
      const email = `${person.userId}-joins@example.org`;
      const body = kind === 'reset' ? { reset_token: await reset(person.userId) } : { invite_token: await invite(email) };
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, count) => accept({ ...body, password: `one of the twelve, number ${count}` })),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      // Who comes late to an invitation finds it used, or the account there with another password: refused either way.
      const refusals = kind === 'reset' ? [400] : [400, 401];
      for (const { status } of answers.filter((answer) => answer.status !== 200)) expect(refusals).toContain(status);
      const winner = answers.findIndex(({ status }) => status === 200);
      const names = kind === 'reset' ? person.email : email;
      for (const count of [winner, (winner + 1) % 12])
        expect((await login(names, `one of the twelve, number ${count}`)).status).toBe(count === winner ? 200 : 401);
    });

    it('G07 a newer reset ends the older, a used one all others, and a new password every open one', async () => {
      const person = await guest();
      const older = await reset(person.userId);
      const newer = await reset(person.userId);
      expect((await accept({ reset_token: older, password: NEW_PASSWORD })).status).toBe(400);
      const change = { current_password: PASSWORD, new_password: NEW_PASSWORD };
      expect((await ask('POST', '/api/v1/auth/password', change, person.token)).status).toBe(204);
      expect((await accept({ reset_token: newer, password: PASSWORD })).status).toBe(400);
    });

    it('G07 an invitation: once, not after it was revoked or ran out, and at most for what its writer may give', async () => {
      const emails = ['used', 'revoked', 'late', 'replaced'].map((name) => `${name}-${team.victim.workspace}@example.org`);
      const [used = '', revoked = '', late = '', replaced = ''] = await Promise.all(emails.map((email) => invite(email)));
      expect((await accept({ invite_token: used, password: PASSWORD })).status).toBe(200);
      const { data } = (await ask('GET', `${home()}/invitations?limit=100`, undefined, owner())).json as unknown as {
        data: { id: string; email: string }[];
      };
      const id = data.find(({ email }) => email === emails[1])?.id;
      expect((await ask('DELETE', `${home()}/invitations/${id}`, undefined, owner())).status).toBe(204);
      await database.query(sql`UPDATE invitations SET expires_at = now() WHERE email = ${emails[2]}`);
      await invite(emails[3] ?? '');
      for (const token of [used, revoked, late, replaced]) {
        const { status, json } = await accept({ invite_token: token, password: PASSWORD });
        expect([status, JSON.stringify(json.errors)]).toEqual([400, expect.stringContaining('invite_token')]);
      }
    });

    it('G07 G19 wrong, used, revoked and late tokens are one answer', async () => {
      const person = await guest();
      const used = await reset(person.userId);
      await accept({ reset_token: used, password: NEW_PASSWORD });
      const late = await reset(person.userId);
      await database.query(sql`UPDATE password_resets SET expires_at = now() WHERE user_id = ${person.userId}::uuid`);
      const unknown = await accept({ reset_token: `pr-${'x'.repeat(43)}`, password: NEW_PASSWORD });
      for (const token of [used, late, 'pr-', 'x'])
        expect(same(await accept({ reset_token: token, password: NEW_PASSWORD }))).toEqual(same(unknown));
    });

    it('G19 an invitation does not tell its writer whether the e-mail has an account', async () => {
      const person = await team.people.make('known elsewhere');
      const invited = async (email: string) => {
        const answer = await ask('POST', `${home()}/members`, { email, role: 'viewer' }, owner());
        const { email: own, id, invite_token: token, created_at: at, expires_at: end, ...rest } = answer.json as Record<string, unknown>;
        expect([own, typeof id, typeof token, typeof at, typeof end]).toEqual([email, 'string', 'string', 'string', 'string']);
        return [answer.status, rest];
      };
      expect(await invited(person.email)).toEqual(await invited('known-nowhere@example.org'));
    });

    it('G07 a refresh token that is used again ends its login', async () => {
      const { email } = await guest();
      const first = (await login(email, PASSWORD)).json as unknown as { refresh_token: string };
      const rotated = await ask('POST', '/api/v1/auth/refresh', { refresh_token: first.refresh_token });
      expect(rotated.status).toBe(200);
      await database.query(sql`UPDATE refresh_tokens SET rotated_at = rotated_at - interval '11 seconds' WHERE rotated_at IS NOT NULL`);
      expect((await ask('POST', '/api/v1/auth/refresh', { refresh_token: first.refresh_token })).status).toBe(401);
      expect((await ask('POST', '/api/v1/auth/refresh', { refresh_token: rotated.json.refresh_token })).status).toBe(401);
      await expectShut(String(rotated.json.access_token));
    });
  });

  describe('G16 what needs the password again', () => {
    it.each([
      ['none', { new_password: NEW_PASSWORD }, 400],
      ['an empty one', { current_password: '', new_password: NEW_PASSWORD }, 400],
      ['null', { current_password: null, new_password: NEW_PASSWORD }, 400],
      ['a condition', { current_password: { $ne: '' }, new_password: NEW_PASSWORD }, 400],
      ['a wrong one', { current_password: NEW_PASSWORD, new_password: NEW_PASSWORD }, 403],
      ['a short new one', { current_password: PASSWORD, new_password: 'short' }, 400],
      ['a person beside it', { current_password: PASSWORD, new_password: NEW_PASSWORD, user_id: 'x' }, 400],
    ])('G16 a password is not changed with %s', async (_, body, status) => {
      const person = await guest();
      expect((await ask('POST', '/api/v1/auth/password', body, person.token)).status).toBe(status);
      await expectOpen(person.token);
      expect((await login(person.email, PASSWORD)).status).toBe(200);
    });

    it('G16 a key changes no password, ends no login and switches nowhere', async () => {
      const person = await guest();
      const change = { current_password: PASSWORD, new_password: NEW_PASSWORD };
      expect((await ask('POST', '/api/v1/auth/password', change, person.key)).status).toBe(403);
      expect((await ask('POST', '/api/v1/auth/logout', undefined, person.key)).status).toBe(403);
      expect((await ask('POST', '/api/v1/auth/switch', { workspace_id: team.victim.workspace }, person.key)).status).toBe(403);
      await expectOpen(person.token);
    });

    it('G16 e-mail and password are fields of no other route, not even for the instance admin', async () => {
      const person = await guest();
      for (const token of [person.token, admin()])
        for (const body of [{ email: 'mine@example.org' }, { password: NEW_PASSWORD }, { new_password: NEW_PASSWORD }, { kind: 'service' }])
          expect((await ask('PATCH', `/api/v1/users/${person.userId}`, body, token)).status).toBe(400);
      const urls = api.app.get(RouteTable).routes.map(({ url }) => url);
      expect(urls.filter((url) => /2fa|mfa|totp|otp|factor|backup-code|e-?mail/i.test(url))).toEqual([]);
      expect((await login(person.email, PASSWORD)).status).toBe(200);
    });
  });

  it(`G17 fifty first registrations at once make one admin, and no other account: ${RACES} rounds`, async () => {
    const empty = await startApi({ database: 'embedded' });
    // Without the work of hashing, which would make them come one after the other.
    const hash = await empty.app.get(Passwords, { strict: false }).hash(PASSWORD);
    const hashing = jest.spyOn(Passwords.prototype, 'hash').mockResolvedValue(hash);
    try {
      const client = empty.app.get(PostgresClient, { strict: false });
      for (let round = 0; round < RACES; round += 1) {
        await client.query(sql`TRUNCATE users CASCADE`);
        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, count) =>
            empty.post('/api/v1/auth/register', { email: `p${count}@example.org`, password: PASSWORD }),
          ),
        );
        expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(49).fill(403)]);
        expect(await client.query(sql`SELECT instance_admin FROM users`)).toEqual([{ instance_admin: true }]);
        expect(await client.query(sql`SELECT role FROM memberships`)).toEqual([{ role: 'owner' }]);
      }
    } finally {
      hashing.mockRestore();
      await empty.close();
    }
  }, 600_000);
});

/** Everything of an answer but what is of the request alone. */
function same({ status, json, headers }: ApiAnswer): unknown {
  const sent = [...headers].filter(([name]) => !['date', 'x-request-id', 'connection', 'keep-alive'].includes(name));
  return [status, { ...json, request_id: '' }, sent];
}
