import { parseConfig } from '@kernel/config';
import { recover } from '../../apps/recovery/src/recover';
import { startApi } from '../support/api';
import { describeDatabases, newDatabase } from '../support/databases';
import { PASSWORD } from '../support/identity';

const EMAIL = 'first@example.org';
const NEW_PASSWORD = 'another horse, another staple';

describeDatabases('A password reset on the machine itself', (kind) => {
  let place: Awaited<ReturnType<typeof newDatabase>>;
  let env: Record<string, string>;

  beforeAll(async () => {
    place = await newDatabase(kind);
    env = { DATA_DIR: place.directory, ...(place.url === undefined ? {} : { DATABASE_URL: place.url }), LOG_LEVEL: 'silent' };
    const api = await startApi({ database: 'embedded', env });
    await api.register(EMAIL);
    await api.close();
  });
  afterAll(() => place?.drop());

  it('gives a token that sets a new password', async () => {
    const { token, expiresAt } = await recover(` ${EMAIL.toUpperCase()}`, parseConfig(env));
    expect(expiresAt.getTime()).toBeGreaterThan(Date.now() + 71 * 3_600_000);
    const api = await startApi({ database: 'embedded', env });
    try {
      const accepted = await api.post('/api/v1/auth/accept', { reset_token: token, password: NEW_PASSWORD });
      expect([accepted.status, accepted.json.user]).toMatchObject([200, { email: EMAIL, instance_admin: true }]);
      const login = (password: string) => api.post('/api/v1/auth/login', { email: EMAIL, password }).then(({ status }) => status);
      expect([await login(NEW_PASSWORD), await login(PASSWORD)]).toEqual([200, 401]);
    } finally {
      await api.close();
    }
  });

  it.each([
    ['nobody@example.org', 'not_found'],
    ['no address', 'invalid'],
  ])('says that there is no %s', async (email, code) => {
    await expect(recover(email, parseConfig(env))).rejects.toMatchObject({ code });
  });

  it(kind === 'embedded' ? 'is refused while a server uses the database' : 'works while a server uses the database', async () => {
    const api = await startApi({ database: 'embedded', env });
    try {
      const recovered = recover(EMAIL, parseConfig(env));
      if (kind === 'embedded') await expect(recovered).rejects.toThrow(`in use by the process ${process.pid}`);
      else expect((await recovered).token).toMatch(/^pr-/);
    } finally {
      await api.close();
    }
  });
});
