import { redisAddress, redisPrefix } from './redis-address';

it.each([
  ['redis://cache', { host: 'cache', port: 6379 }],
  ['redis://app:p%40ss@127.0.0.1:10001/2', { host: '127.0.0.1', port: 10_001, username: 'app', password: 'p@ss', db: 2 }],
  ['rediss://:secret@[::1]:7000/', { host: '::1', port: 7000, password: 'secret', tls: {} }],
])('%s', (url, options) => {
  expect(redisAddress(url)).toEqual(options);
});

it.each([
  ['redis://cache', 'app:'],
  ['redis://cache/1?prefix=', 'app:'],
  ['redis://cache?prefix=green-2', 'app:green-2:'],
  ['redis://cache?prefix=a*:b', 'app:ab:'],
])('the names of %s begin with %s', (url, prefix) => {
  expect(redisPrefix(url)).toBe(prefix);
});
