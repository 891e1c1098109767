import { faultOf, versionFault } from './redis-fault';

it.each([
  [{ message: 'WRONGPASS invalid username-password pair or user is disabled.' }, 'REDIS_URL: Redis refuses this user name or password.'],
  [
    { message: 'NOAUTH HELLO must be called with the client already authenticated' },
    'REDIS_URL: Redis refuses this user name or password.',
  ],
  [
    { message: "NOPERM this user has no permissions to run the 'evalsha' command" },
    "REDIS_URL: the user lacks a right (this user has no permissions to run the 'evalsha' command).",
  ],
  [{ code: 'ECONNREFUSED', message: '' }, 'REDIS_URL: nobody listens at this address.'],
  [{ code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND x' }, 'REDIS_URL: this host name is not known.'],
  [{ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, 'REDIS_URL: the certificate of the server is not accepted (DEPTH_ZERO_SELF_SIGNED_CERT).'],
  [{ message: 'LOADING Redis is loading the dataset in memory' }, 'Redis refuses commands now (LOADING).'],
  [{ code: 'ECONNRESET', message: 'read ECONNRESET' }, 'Redis does not answer (ECONNRESET).'],
  [{ message: 'Connection is closed.', command: { args: ['app', 's3cret'] } }, 'Redis does not answer.'],
])('%j is told as one sentence', (error, sentence) => {
  expect(faultOf(Object.assign(new Error(), error))).toBe(sentence);
});

it.each([
  [['server', 'redis', 'version', '7.0.15', 'proto', 3], undefined],
  [['server', 'redis', 'version', '8.2.0'], undefined],
  [['server', 'redis', 'version', '6.2.14'], 'REDIS_URL: Redis 7 or newer is needed, and this is 6.2.14.'],
  [undefined, 'REDIS_URL: Redis 7 or newer is needed, and this is older.'],
])('a server that says %j', (hello, fault) => {
  expect(versionFault(hello)).toBe(fault);
});
