import { redisAddress } from './redis-address';

it.each([
  ['redis://cache', { host: 'cache', port: 6379 }],
  ['redis://app:p%40ss@127.0.0.1:10001/2', { host: '127.0.0.1', port: 10_001, username: 'app', password: 'p@ss', db: 2 }],
  ['rediss://:secret@[::1]:7000/', { host: '::1', port: 7000, password: 'secret', tls: {} }],
])('%s', (url, options) => {
  expect(redisAddress(url)).toEqual(options);
});
