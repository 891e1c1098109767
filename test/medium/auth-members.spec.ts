import type { TestingModule } from '@nestjs/testing';
import { sql } from '@backing/postgres';
import { Acceptance, Accounts, Authenticator, Invitations, Members, Registration, Users, Workspaces, type SignedIn } from '@features/auth';
import { AppError } from '@kernel/errors';
import type { Principal, Role } from '@kernel/identity';
import { describeDatabases } from '../support/databases';
import { ELSEWHERE, HERE, PASSWORD, openIdentity } from '../support/identity';

const PAGE = { limit: 20, order: 'desc' } as const;

describeDatabases('Teams', (kind) => {
  let place: Awaited<ReturnType<typeof openIdentity>>;
  let module: TestingModule;
  let elsewhere: TestingModule;
  let owner: SignedIn;
  let count = 0;

  beforeAll(async () => {
    place = await openIdentity(kind);
    module = await place.process({ registration: 'invite' });
    elsewhere = await place.process({ registration: 'closed' });
    owner = await module.get(Registration).register({ email: 'owner@example.org', password: PASSWORD }, HERE);
  });
  afterAll(() => place?.close());

  const email = (name: string): string => `${name}-${(count += 1)}@example.org`;
  const principalOf = ({ tokens }: SignedIn, at = module): Promise<Principal> => at.get(Authenticator).authenticate(tokens.accessToken);
  const invite = async (address: string, role: Role, by = owner): Promise<string> =>
    (await module.get(Invitations).issue(await principalOf(by), by.workspace.id, { email: address, role })).token;
  const join = async (role: Role): Promise<SignedIn> => {
    const token = await invite(email('member'), role);
    return module.get(Acceptance).acceptInvitation({ token, password: PASSWORD }, '192.0.2.9');
  };
  const faultOf = (work: Promise<unknown>): Promise<unknown[]> =>
    work.then(
      () => ['fulfilled'],
      (error: unknown) => (error instanceof AppError ? [error.code, error.errors?.[0]?.path] : [String(error)]),
    );

  describe('registration for the invited', () => {
    const register = (address: string, inviteToken?: string, at = module) =>
      at
        .get(Registration)
        .register({ email: address, password: PASSWORD, ...(inviteToken === undefined ? {} : { inviteToken }) }, ELSEWHERE);

    it('makes a workspace of their own and a member of the inviting one', async () => {
      const address = email('invited');
      const token = await invite(address, 'editor');
      const made = await register(address, token);
      expect(made.workspace).toMatchObject({ role: 'owner' });
      const { data } = await module.get(Workspaces).list(await principalOf(made), PAGE);
      expect(data.map(({ id, role }) => [id, role])).toEqual(
        expect.arrayContaining([
          [made.workspace.id, 'owner'],
          [owner.workspace.id, 'editor'],
        ]),
      );
      expect(data).toHaveLength(2);
    });

    it('needs an open invitation for that very e-mail', async () => {
      const address = email('invited');
      const token = await invite(address, 'editor');
      expect(await faultOf(register(address))).toEqual(['forbidden', undefined]);
      expect(await faultOf(register(address, 'inv-nothing'))).toEqual(['invalid', 'invite_token']);
      expect(await faultOf(register(email('other'), token))).toEqual(['invalid', 'invite_token']);
      const rows = await place.database.query(sql`SELECT 1 FROM users WHERE email LIKE 'invited-%' AND email = ${address}`);
      expect(rows).toEqual([]);
    });

    it('is not for anybody where registration is closed', async () => {
      const address = email('invited');
      const token = await invite(address, 'viewer');
      expect(await faultOf(register(address, token, elsewhere))).toEqual(['forbidden', undefined]);
      const joined = await elsewhere.get(Acceptance).acceptInvitation({ token, password: PASSWORD }, '192.0.2.9');
      expect(joined.workspace).toMatchObject({ id: owner.workspace.id, role: 'viewer' });
    });
  });

  describe('what is taken away here', () => {
    it('is refused by another process within 5 s', async () => {
      const member = await join('editor');
      const before = performance.now();
      expect((await principalOf(member, elsewhere)).role).toBe('editor');
      await module.get(Members).remove(await principalOf(owner), owner.workspace.id, member.user.id);
      expect(await faultOf(principalOf(member))).toEqual(['unauthenticated', undefined]);
      await expectSoon(before, () => faultOf(principalOf(member, elsewhere)), ['unauthenticated', undefined]);
    });

    it('was a role: the other process knows the smaller one within 5 s', async () => {
      const member = await join('admin');
      const before = performance.now();
      expect((await principalOf(member, elsewhere)).scopes.has('admin')).toBe(true);
      await module.get(Members).changeRole(await principalOf(owner), owner.workspace.id, member.user.id, 'viewer');
      expect((await principalOf(member)).scopes.has('admin')).toBe(false);
      await expectSoon(before, async () => (await principalOf(member, elsewhere)).scopes.has('admin'), false);
    });

    it('was a person: the other process refuses them within 5 s', async () => {
      const member = await join('viewer');
      const before = performance.now();
      await principalOf(member, elsewhere);
      await module.get(Users).change(await principalOf(owner), member.user.id, { status: 'suspended' });
      expect(await faultOf(principalOf(member))).toEqual(['unauthenticated', undefined]);
      await expectSoon(before, () => faultOf(principalOf(member, elsewhere)), ['unauthenticated', undefined]);
      expect(await faultOf(module.get(Accounts).login({ email: member.user.email, password: PASSWORD }, '192.0.2.9'))).toEqual([
        'unauthenticated',
        undefined,
      ]);
    });

    it('does not come back by rights remembered for a moment', async () => {
      const second = await join('viewer');
      const [root, there] = [await principalOf(owner), await principalOf(second)];
      await module.get(Users).change(root, second.user.id, { instanceAdmin: true });
      const remembered = await principalOf(second, elsewhere);
      expect(remembered.instanceAdmin).toBe(true);
      await module.get(Users).change(root, second.user.id, { instanceAdmin: false });
      const again = elsewhere.get(Users).change(remembered, second.user.id, { instanceAdmin: true });
      expect(await faultOf(again)).toEqual(['forbidden', undefined]);
      expect(there.instanceAdmin).toBe(false);
    });

    async function expectSoon(since: number, ask: () => Promise<unknown>, wanted: unknown): Promise<void> {
      let answer = await ask();
      while (JSON.stringify(answer) !== JSON.stringify(wanted) && performance.now() - since < 5_000) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        answer = await ask();
      }
      expect(answer).toEqual(wanted);
    }
  });

  it('an e-mail that gets an account while its invitation is accepted is asked for the password of that account', async () => {
    const address = email('twice');
    const [first, second] = [await invite(address, 'viewer'), await inviteElsewhere(address)];
    const accept = (token: string, password: string) => module.get(Acceptance).acceptInvitation({ token, password }, '192.0.2.9');
    const answers = await Promise.allSettled([accept(first, PASSWORD), accept(second, PASSWORD)]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    const people = await place.database.query(sql`SELECT 1 FROM users WHERE email = ${address}`);
    expect(people).toHaveLength(1);
    expect(await faultOf(accept(await inviteElsewhere(email('x')), 'short'))).toEqual(['invalid', 'password']);
  });

  /** Into another workspace of the owner's. */
  async function inviteElsewhere(address: string): Promise<string> {
    const principal = await principalOf(owner);
    const { id } = await module.get(Workspaces).create(principal, email('workspace'));
    return (await module.get(Invitations).issue(principal, id, { email: address, role: 'viewer' })).token;
  }
});
