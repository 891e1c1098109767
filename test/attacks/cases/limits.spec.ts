import { PostgresClient, sql } from '@backing/postgres';
import { addressBucket } from '../../../libs/features/auth/people/address-bucket';
import { startApi, type ApiAnswer, type TestApi } from '../../support/api';
import { expectLimit } from '../../support/rate-limits';

const PASSWORD = 'correct horse battery staple';
/** Registrations in an hour from one address. */
const PER_ADDRESS = 5;
const OPEN = { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '100000' };

let people = 0;
/** An attempt that is counted by address: a registration, taken while the address has any left. */
function attempt(api: TestApi, headers: Record<string, string>): Promise<ApiAnswer> {
  people += 1;
  return api.request('/api/v1/auth/register', { method: 'POST', headers, body: { email: `p${people}@example.org`, password: PASSWORD } });
}

async function expectShared(api: TestApi, spellings: Record<string, string>[]): Promise<void> {
  const statuses: number[] = [];
  for (const headers of spellings) statuses.push((await attempt(api, headers)).status);
  const expected = spellings.map((_, index) => (index < PER_ADDRESS ? 201 : 429));
  expect(statuses).toEqual(expected);
}

const forwarded = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });

describe('O01 O02 behind a trusted proxy', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { ...OPEN, TRUSTED_PROXIES: '127.0.0.1' } });
    await api.register('first@example.org');
  });
  afterAll(() => api?.close());

  it('O01 one IPv4 client has one bucket, however its address is mapped into IPv6', () =>
    expectShared(
      api,
      [
        '192.0.2.1',
        '::ffff:192.0.2.1',
        '::FFFF:192.0.2.1',
        '::ffff:c000:201',
        '0:0:0:0:0:ffff:c000:0201',
        '::ffff:c000:0201',
        '192.0.2.1',
      ].map(forwarded),
    ));

  it('O01 two mapped clients do not share one', async () => {
    for (let count = 0; count < PER_ADDRESS + 2; count += 1)
      expect((await attempt(api, forwarded(`::ffff:192.0.2.${100 + count}`))).status).toBe(201);
  });

  it('O01 an IPv6 client has one bucket for its network of 64 bits', () =>
    expectShared(
      api,
      ['::1', '::2', ':ffff:ffff:ffff:ffff', ':0:0:0:1', ':a:b:c:d', ':1:1:1:1', '::9'].map((host) => forwarded(`2001:db8:1:2${host}`)),
    ));

  it('O01 and shares it with no other network', async () => {
    for (const network of ['2001:db8:1:3', '2001:db8:2:2', '2001:db8:1:0', '2001:db9:1:2'])
      expect((await attempt(api, forwarded(`${network}::1`))).status).toBe(201);
  });

  it('O02 a port or a zone behind the address makes no other client', () =>
    expectShared(
      api,
      [
        '192.0.2.2:1',
        '192.0.2.2:65535',
        '192.0.2.2',
        '[::ffff:192.0.2.2]:443',
        '[::ffff:192.0.2.2]',
        '192.0.2.2:7',
        '::ffff:192.0.2.2%eth0',
      ].map(forwarded),
    ));

  it('O02 what the client wrote before the proxy’s own word does not count', () =>
    expectShared(
      api,
      ['203.0.113.1', '203.0.113.2', '127.0.0.1', 'unknown', '203.0.113.3, 203.0.113.4', '::1', '203.0.113.5'].map((fake) =>
        forwarded(`${fake}, 192.0.2.3`),
      ),
    ));

  it('O02 other headers do not count beside it', () =>
    expectShared(
      api,
      ['x-real-ip', 'forwarded', 'true-client-ip', 'cf-connecting-ip', 'x-client-ip', 'x-cluster-client-ip', 'fastly-client-ip'].map(
        (name, index) => ({
          ...forwarded('192.0.2.4'),
          [name]: name === 'forwarded' ? `for=203.0.113.${index}` : `203.0.113.${index}`,
        }),
      ),
    ));

  it('O02 what is no address counts as the proxy itself', () =>
    expectShared(
      api,
      ['a', 'b', '999.0.2.1', '_hidden', '192.0.2.5 192.0.2.6', 'localhost', "' OR 1=1 --"].map((word) =>
        forwarded(`203.0.113.9, ${word}`),
      ),
    ));

  it('O01 O02 the audit log holds an address, and nothing else that a client wrote', async () => {
    const rows = await api.app
      .get(PostgresClient, { strict: false })
      .query<{ address: string }>(sql`SELECT DISTINCT address FROM audit_entries`);
    expect(rows.length).toBeGreaterThan(5);
    for (const { address } of rows) expect(address).toMatch(/^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]{2,39})$/);
  });

  it('O01 an e-mail has one bucket, however it is written and wherever from', async () => {
    const spellings = [
      'first@example.org',
      'FIRST@example.org',
      ' first@example.org',
      'first@EXAMPLE.org ',
      'First@Example.Org',
      '\tfirst@example.org',
    ];
    const statuses: number[] = [];
    for (let count = 0; count < 12; count += 1) {
      const body = { email: spellings[count % spellings.length], password: 'not the right password' };
      const headers = forwarded(`198.51.100.${count}`);
      statuses.push((await api.request('/api/v1/auth/login', { method: 'POST', headers, body })).status);
    }
    expect(statuses).toEqual([...Array<number>(10).fill(401), 429, 429]);
  });
});

describe('O02 without a proxy', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: OPEN });
    await api.register('first@example.org');
    for (let count = 0; count < PER_ADDRESS; count += 1) expect((await attempt(api, {})).status).toBe(201);
  });
  afterAll(() => api?.close());

  it.each([
    'x-forwarded-for',
    'x-real-ip',
    'forwarded',
    'forwarded-for',
    'x-forwarded',
    'x-forwarded-host',
    'via',
    'true-client-ip',
    'cf-connecting-ip',
    'x-client-ip',
    'x-cluster-client-ip',
    'fastly-client-ip',
    'x-originating-ip',
    'x-remote-ip',
    'x-remote-addr',
    'x-azure-clientip',
    'x-host',
    'client-ip',
    'x-appengine-user-ip',
  ])('O02 %s makes nobody another client', async (name) => {
    for (const value of ['192.0.2.1', '::1', '127.0.0.1, 192.0.2.2', 'for=192.0.2.3;proto=https', '192.0.2.4:443', 'unknown']) {
      const { status, json } = await attempt(api, { [name]: value });
      expect([value, status, json.code]).toEqual([value, 429, 'rate_limited']);
    }
  });

  it('O02 nor does any of them twice, or in capitals', async () => {
    for (const name of ['X-Forwarded-For', 'X-FORWARDED-FOR'])
      expect((await attempt(api, { [name]: '192.0.2.1, 192.0.2.2, 192.0.2.3' })).status).toBe(429);
  });
});

describe('O01 O02 the limit of a person', () => {
  const LIMIT = 12;
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { ...OPEN, RATE_LIMIT_PER_MINUTE: String(LIMIT) } });
  });
  afterAll(() => api?.close());

  it('O01 O02 is shared by all logins and addresses of the person, and by nobody else', async () => {
    const { accessToken: first } = await api.register('first@example.org');
    const { accessToken: other } = await api.register('other@example.org');
    const { json } = await api.post('/api/v1/auth/login', { email: 'first@example.org', password: PASSWORD });
    const tokens = [first, String(json.access_token)];
    // At most one minute turns while this runs: the limit is reached in one of the two.
    const answers: ApiAnswer[] = [];
    for (let count = 0; count < 2 * LIMIT + 1; count += 1) {
      const headers = { 'x-forwarded-for': `192.0.2.${count}`, 'x-real-ip': `192.0.2.${count}` };
      answers.push(await api.request('/api/v1/auth/me', { token: tokens[count % 2], headers }));
    }
    expect(expectLimit(answers, LIMIT).length).toBeGreaterThan(0);
    expect((await api.get('/api/v1/auth/me', other)).status).toBe(200);
  });
});

describe('O01 buckets of addresses', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::', 'fe80:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
  ])('O01 %s counts for %s', (address, bucket) => expect(addressBucket(address)).toBe(bucket));
});
