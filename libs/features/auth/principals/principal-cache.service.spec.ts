import { MemoryFanout } from '@backing/memory';
import { type Principal, SCOPES } from '@kernel/identity';
import { PrincipalCache } from './principal-cache.service';

const principal = (over: Partial<Principal>): Principal => ({
  kind: 'user',
  userId: 'u',
  workspaceId: 'w',
  role: 'editor',
  instanceAdmin: false,
  scopes: new Set(SCOPES),
  ...over,
});
const PEOPLE = {
  login: principal({ sessionId: 's' }),
  otherLogin: principal({ sessionId: 't' }),
  key: principal({ kind: 'key', keyId: 'k' }),
  elsewhere: principal({ userId: 'v', workspaceId: 'x', sessionId: 'z' }),
};

describe('PrincipalCache', () => {
  let fanout: MemoryFanout;
  let cache: PrincipalCache;
  let told = 0;

  /** Who is asked for anew, that is not remembered. */
  async function forgotten(): Promise<string[]> {
    const names: string[] = [];
    for (const [name, found] of Object.entries(PEOPLE))
      await cache.get(name, async () => {
        names.push(name);
        return { principal: found, secondsLeft: null };
      });
    return names;
  }

  beforeEach(async () => {
    told = 0;
    fanout = new MemoryFanout();
    cache = new PrincipalCache(fanout);
    cache.onForget(() => (told += 1));
    await forgotten();
    expect(await forgotten()).toEqual([]);
  });

  it.each([
    [{ sessionId: 's' }, ['login']],
    [{ userId: 'u', kind: 'user' as const }, ['login', 'otherLogin']],
    [{ keyId: 'k' }, ['key']],
    [{ workspaceId: 'x' }, ['elsewhere']],
    [{}, Object.keys(PEOPLE)],
  ])('forgets at once whom %j concerns, and nobody else', async (concerned, names) => {
    cache.forget(concerned);
    expect(told).toBe(1);
    expect(await forgotten()).toEqual(names);
  });

  it('forgets on the word of another process; one that it does not understand concerns everybody', async () => {
    const other = new PrincipalCache(fanout);
    other.forget({ sessionId: 't' });
    expect(await forgotten()).toEqual(['otherLogin']);
    for (const word of ['', '{"sessionId":1}', '{"role":"owner"}', '[]']) {
      fanout.publish('revoked', word);
      expect(await forgotten()).toEqual(Object.keys(PEOPLE));
    }
  });

  it('does not keep what was read while something was revoked', async () => {
    cache.forget({});
    await cache.get('login', async () => {
      cache.forget({ keyId: 'k' });
      return { principal: PEOPLE.login, secondsLeft: null };
    });
    expect(await forgotten()).toContain('login');
  });
});
