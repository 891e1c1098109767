// Guards of counting: whose tries and requests are one client's.
const spec = 'cases/limits';
const address = 'apps/api/src/http/client-address.ts';

module.exports = [
  {
    guard: 'address-mapped',
    file: address,
    find: 'if (high === undefined || low === undefined) return canonical;',
    replace: 'if (canonical !== undefined) return canonical;',
    spec,
    cases: ['O01'],
  },
  {
    guard: 'address-network',
    file: 'libs/features/auth/people/address-bucket.ts',
    find: "if (!address.includes(':')) return address;",
    replace: "if (address !== '') return address;",
    spec,
    cases: ['O01'],
  },
  { guard: 'address-only', file: address, find: 'return undefined;', replace: 'return bare;', spec, cases: ['O02'] },
  {
    guard: 'proxies-trusted',
    file: 'apps/api/src/http/http.adapter.ts',
    find: 'config.http.trustedProxies.length === 0 ? false :',
    replace: 'config.http.trustedProxies.length === 0 ? true :',
    spec,
    cases: ['O02'],
  },
  {
    guard: 'limit-of-the-person',
    file: 'apps/api/src/http/request.guard.ts',
    find: '`user:${principal.userId}`',
    replace: '`user:${String(principal.sessionId)}`',
    spec,
    cases: ['O01'],
  },
  {
    guard: 'login-per-email',
    file: 'libs/features/auth/people/credentials.service.ts',
    find: 'await this.attempts.take(`login of ${email}`, PER_EMAIL, 60);',
    replace: '',
    spec,
    cases: ['O01'],
  },
];
